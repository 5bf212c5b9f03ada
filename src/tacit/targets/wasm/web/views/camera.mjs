// Pictures from a camera, read several times a second while it is on.

import { element, whyNoDevice } from "./dom.mjs";

const EVERY_MILLISECONDS = 150;

/** A panel with a camera; calls `read(rgba, width, height)` for each picture and `failed(message)` when there is none. */
export function camera(read, failed) {
  const video = element("video", { playsinline: true, muted: true, hidden: true, "aria-label": "What the camera sees" });
  video.muted = true;
  const canvas = element("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const state = { stream: null, timer: 0 };
  const look = () => {
    if (video.readyState < 2 || video.videoWidth === 0) return;
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    context.drawImage(video, 0, 0);
    read(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas.width, canvas.height);
  };
  const stop = () => {
    clearInterval(state.timer);
    for (const track of state.stream?.getTracks() ?? []) track.stop();
    state.stream = null;
    video.hidden = true;
    button.textContent = "Start the camera";
  };
  const start = async () => {
    try {
      state.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video.srcObject = state.stream;
      video.hidden = false;
      button.textContent = "Hold this picture";
      await video.play();
      state.timer = setInterval(look, EVERY_MILLISECONDS);
    } catch (error) {
      stop();
      failed(whyNoDevice(error, "camera"));
    }
  };
  const button = element("button", { type: "button", class: "main", onclick: () => (state.stream ? stop() : start()) }, "Start the camera");
  return { element: element("div", { class: "panel" }, video, element("div", { class: "tools" }, button)), start() {}, stop };
}

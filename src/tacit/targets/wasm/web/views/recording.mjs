// Recording from a microphone as plain samples.

const WORKLET = `registerProcessor("taker", class extends AudioWorkletProcessor {
  process([input]) {
    if (input[0]) this.port.postMessage(input[0].slice());
    return true;
  }
});`;

/** Open the microphone and call `heard(Float32Array)` with what comes; gives `{rate, stop}`. */
export async function recording(heard) {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false },
  });
  const context = new AudioContext();
  const source = context.createMediaStreamSource(stream);
  const taker = await makeTaker(context, heard);
  source.connect(taker);
  taker.connect(context.destination); // it gives silence; without a way out some browsers never call it
  return {
    rate: context.sampleRate,
    stop() {
      for (const track of stream.getTracks()) track.stop();
      source.disconnect();
      taker.disconnect();
      context.close();
    },
  };
}

async function makeTaker(context, heard) {
  if (context.audioWorklet) {
    try {
      await context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(WORKLET)}`); // a page from a file may not load blob:
      const taker = new AudioWorkletNode(context, "taker", { numberOfInputs: 1, numberOfOutputs: 1 });
      taker.port.onmessage = ({ data }) => heard(data);
      return taker;
    } catch {
      // the older way follows
    }
  }
  const taker = context.createScriptProcessor(4096, 1, 1);
  taker.onaudioprocess = ({ inputBuffer }) => heard(inputBuffer.getChannelData(0).slice());
  return taker;
}

// Scores to a person's value, as `tacit.signature.outputs` decodes them.

/** How many scores an output type has. */
export function width(type) {
  if (type.type === "joint") return type.parts.reduce((sum, part) => sum + width(part), 0);
  return type.type === "number" ? 1 : type.names.length;
}

/** Give what a person wants: a name, a number, a list of names, or an object of these by the name of the part. */
export function decode(scores, type) {
  if (type.type === "class") return type.names[winner(scores)];
  if (type.type === "number") return scores[0] * type.scale + type.mean;
  if (type.type === "labels") return type.names.filter((_, at) => scores[at] >= 0);
  return Object.fromEntries(divided(scores, type).map(({ name, part, scores: own }) => [name, decode(own, part)]));
}

/** Share the scores of a joint output out among its parts. */
export function divided(scores, type) {
  let at = 0;
  return type.parts.map((part, place) => {
    const own = scores.subarray(at, at + width(part));
    at += own.length;
    return { name: type.names[place], part, scores: own };
  });
}

/** The place of the greatest score, the first of equals. */
export function winner(scores) {
  return scores.reduce((best, score, at) => (score > scores[best] ? at : best), 0);
}

/** Probabilities of a class (they sum to 1) or of labels (each for itself). */
export function probabilities(scores, type) {
  if (type.type === "labels") return Array.from(scores, (score) => 0.5 * (1 + Math.tanh(0.5 * score)));
  const most = scores[winner(scores)];
  const powers = Array.from(scores, (score) => Math.exp(score - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

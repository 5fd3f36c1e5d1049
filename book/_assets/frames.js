// Load the images of a figure's other states when the reader comes to its controls, before they are asked for.
document.querySelectorAll("figure[data-explore]").forEach((figure) => {
  const load = () => {
    const spec = JSON.parse(figure.querySelector('[data-part="spec"]').textContent);
    if (spec.widths) spec.frames.forEach((frame) => { if (frame) new Image().src = frame; });
  };
  ["pointerenter", "focusin"].forEach((kind) => figure.addEventListener(kind, load, { once: true }));
});

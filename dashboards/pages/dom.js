// Making and changing what the page holds, with as little change as can be.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A shape that says what its colour says. */
export function mark(name) {
  const drawn = document.createElementNS(SVG, "svg");
  drawn.setAttribute("class", "mark");
  drawn.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#mark-${name}`);
  drawn.append(use);
  return drawn;
}

/** Put children into `node` where `key` says that they differ: who reads it, by eye or by ear, is not disturbed else. */
export function fill(node, key, makeChildren) {
  const text = JSON.stringify(key);
  if (node.shown === text) return;
  node.shown = text;
  node.replaceChildren(...makeChildren());
}

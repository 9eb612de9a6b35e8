// Element builders. Text stays text: the page never parses markup from data.

import { BASE_PATH } from "./api.js";

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = Symbol("handlers");

/**
 * An HTML element. `props` are attributes, except for
 * `on` (event type → handler), `style` (property → value) and `key` (identity among siblings, see `morph`).
 * `null`, `undefined` and `false` leave an attribute or a child out. Links are given without the base path of a proxy.
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An SVG element, with the same `props` as `h`. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") listen(node, value);
    else if (name === "style") setStyle(node, value);
    else if (name === "key") node.dataset.key = value;
    else if (name === "href" && value.startsWith("/")) node.setAttribute(name, BASE_PATH + value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(node, child);
    else if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

// By the style object: the content security policy refuses style attributes.
function setStyle(node, style) {
  for (const [property, value] of Object.entries(style)) node.style.setProperty(property, value);
}

// One listener per type, which looks up the handler when called, so that `morph` can exchange handlers.
function listen(node, handlers) {
  node[HANDLERS] = handlers;
  for (const type of Object.keys(handlers)) node.addEventListener(type, dispatch);
}

function dispatch(event) {
  event.currentTarget[HANDLERS]?.[event.type]?.(event);
}

/**
 * Changes `place` to contain `wanted` with as few changes as possible: focus, selection, scroll
 * position and opened details survive. Elements with the same `key` are the same; others match by place and tag.
 * An element with `data-own` manages its own content.
 */
export function morph(place, ...wanted) {
  const described = document.createElement("template").content;
  append(described, wanted);
  morphChildren(place, described);
}

function morphChildren(place, described) {
  const keyed = new Map();
  for (const child of place.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  let at = place.firstChild;
  for (const wanted of [...described.childNodes]) {
    const key = keyOf(wanted);
    const found = key ? keyed.get(key) : at && !keyOf(at) && at;
    if (!found || found.nodeName !== wanted.nodeName) {
      place.insertBefore(wanted, at);
      continue;
    }
    if (found === at) at = at.nextSibling;
    else place.insertBefore(found, at);
    morphNode(found, wanted);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const keyOf = (node) => node.dataset?.key;

function morphNode(node, wanted) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  if ("own" in wanted.dataset) return;
  const chosen = wanted.value;
  morphAttributes(node, wanted);
  morphHandlers(node, wanted);
  morphChildren(node, wanted);
  if (node.nodeName === "SELECT" && node !== document.activeElement) node.value = chosen;
}

function morphAttributes(node, wanted) {
  const users = (name) => name === "style" || (name === "open" && node.nodeName === "DETAILS");
  for (const { name } of [...node.attributes]) {
    if (!users(name) && !wanted.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (!users(name) && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  if (node.style.cssText !== wanted.style.cssText) node.style.cssText = wanted.style.cssText;
  if (node.nodeName === "INPUT" && node !== document.activeElement && node.value !== wanted.value) {
    node.value = wanted.value;
  }
}

function morphHandlers(node, wanted) {
  const handlers = wanted[HANDLERS] ?? {};
  for (const type of Object.keys(handlers)) {
    if (!node[HANDLERS]?.[type]) node.addEventListener(type, dispatch);
  }
  node[HANDLERS] = handlers;
}

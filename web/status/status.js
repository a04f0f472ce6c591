// The live status page: what the server says of itself, and its events as they come. Everything that
// comes from the memory is shown as text, never as markup.
'use strict';

const EVENTS_SHOWN = 50;
const CONTEXTS_SHOWN = 100;
const REFRESH_MS = 5000;

const byId = (id) => document.getElementById(id);
let lastRefresh = 0;
let refreshTimer = 0;

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

function row(name, note) {
  const item = document.createElement('li');
  item.append(element('span', 'name', name), element('span', 'note', note));
  item.firstChild.title = name;
  return item;
}

function fill(list, items, emptyText) {
  list.replaceChildren(...(items.length ? items : [element('li', 'dim', emptyText)]));
}

function time(ms) {
  return new Date(ms).toLocaleTimeString();
}

async function get(path) {
  const answer = await fetch('/api/v1/' + path, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function showStatus(status) {
  const systems = [
    ['Storage', status.storage, `${status.storage.kind}, ${status.storage.latencyMs} ms`],
    ['Bus', status.bus, status.bus.kind],
    ['WebSocket', { enabled: status.websocket.enabled, healthy: status.websocket.running },
      `${status.websocket.clientCount} clients on port ${status.websocket.port}`],
  ];
  const enabled = systems.filter(([, system]) => system.enabled);
  const healthy = enabled.filter(([, system]) => system.healthy);
  const all = healthy.length === enabled.length;
  const colour = healthy.length === 0 ? 'gray' : all ? 'green' : 'amber';
  const indicator = byId('indicator');
  indicator.className = `indicator ${colour}`;
  indicator.textContent =
    `[📡 Sync] [${healthy.length ? '✓' : '✗'} ${healthy.length}/${enabled.length} Sync]`;
  byId('subtitle').textContent = `Memory of ${status.userId}, version ${status.version}`;
  byId('instance').textContent = `Node ${status.instanceId.slice(0, 8)}`;
  const list = byId('systems');
  list.replaceChildren();
  for (const [name, system, note] of systems) {
    const state = !system.enabled ? 'off' : system.healthy ? '✓' : '✗';
    const value = element('dd', system.enabled && !system.healthy ? 'amber' : '', `${state} ${note}`);
    list.append(element('dt', '', name), value);
  }
  list.append(element('dt', '', 'Up since'),
    element('dd', '', new Date(status.startedAt).toLocaleString()));
}

function showInstances(instances) {
  fill(byId('instances'), instances.map((instance) => row(instance.instanceId,
    [instance.mode ? instance.mode.currentMode : 'no mode said',
      instance.presence ? 'connected' : 'away'].join(', '))), 'None yet.');
}

function showContexts(page) {
  const newest = [...page.contexts].sort((a, b) => b.updatedAt - a.updatedAt);
  byId('context-count').textContent =
    page.contexts.length ? `(${page.contexts.length}${page.next ? ' and more' : ''})` : '';
  fill(byId('contexts'), newest.map((context) => row(context.contextKey,
    `${context.contextType}, version ${context.version}, ${time(context.updatedAt)}`)),
  'None yet. Try: dyad-memory context set notes \'{"hello":"world"}\'');
}

function describe(event) {
  const data = event.data;
  if (event.kind === 'context-changed') return `${data.context.contextKey} ${data.action}`;
  if (event.kind === 'mode-changed') return `${data.instanceId} is now ${data.currentMode}`;
  if (event.kind === 'response-recorded') return `${data.final.provider} ${data.final.model} answered in ${data.chatId}`;
  return event.kind;
}

function showEvent(text) {
  const event = JSON.parse(text);
  const list = byId('events');
  if (list.firstChild && list.firstChild.className === 'dim') list.replaceChildren();
  const item = row(describe(event), `#${event.offset} ${time(event.timestamp)}`);
  item.className = 'new';
  list.prepend(item);
  while (list.childElementCount > EVENTS_SHOWN) list.lastChild.remove();
}

function offline() {
  const indicator = byId('indicator');
  indicator.className = 'indicator gray';
  indicator.textContent = '[📡 Sync] [✗ 0/3 Sync]';
  byId('subtitle').textContent = 'The server does not answer; trying again…';
}

async function refresh() {
  lastRefresh = Date.now();
  try {
    const [status, instances, contexts] = await Promise.all(
      [get('status'), get('instances'), get(`contexts?limit=${CONTEXTS_SHOWN}`)]);
    showStatus(status);
    showInstances(instances.instances);
    showContexts(contexts);
  } catch {
    offline();
  }
}

function refreshSoon() {
  if (refreshTimer) return;
  const wait = Math.max(0, 500 - (Date.now() - lastRefresh));
  refreshTimer = setTimeout(() => { refreshTimer = 0; refresh(); }, wait);
}

const stream = new EventSource('/api/v1/events/stream');
for (const type of ['context-updated', 'mode-changed', 'response-generated', 'mcp-tool-executed', 'config-updated']) {
  stream.addEventListener(type, (message) => { showEvent(message.data); refreshSoon(); });
}
stream.addEventListener('position', refreshSoon);
stream.addEventListener('reset', refreshSoon);
stream.addEventListener('error', offline);
refresh();
setInterval(refresh, REFRESH_MS);

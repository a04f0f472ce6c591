// The live status page: what the server says of itself, and its events as they come. Everything
// that comes from the memory is shown as text, never as markup.
'use strict';

const EVENTS_SHOWN = 50;
const EVENTS_AT_START = 20;
const CONTEXTS_SHOWN = 50;
const CONTEXT_PAGES_MAX = 3;
const REFRESH_MS = 5000;
const RECONNECT_MS = 3000;
const TYPES = ['context-updated', 'mode-changed', 'response-generated', 'mcp-tool-executed',
  'config-updated'];

const byId = (id) => document.getElementById(id);
let lastRefresh = 0;
let refreshTimer = 0;
let stream = null;
// What is shown of each context, by key; kept up to date by the events.
let contexts = new Map();
let contextsComplete = false;

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
  const answer = await fetch('api/v1/' + path, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function connection(system) {
  if (system.problem) return system.problem;
  return system.connected ? `connected, ${system.latencyMs} ms` : 'not connected';
}

// As Dyad words it.
function tooltip(status, enabled) {
  const lines = enabled.map(([name, system]) => {
    if (name !== 'WebSocket') {
      return `${name}: ${system.healthy ? '✓ Connected' : '✗ Disconnected'}`;
    }
    return `${name}: ${system.healthy ? `✓ Running (${status.websocket.clientCount} clients)`
      : '✗ Offline'}`;
  });
  return ['Distributed Memory Status', ...lines, `Instance: ${status.instanceId.slice(0, 8)}`,
    status.isFullyOperational ? 'Changes reach every instance at once.'
      : 'Some of it does not work: changes may come late, or be refused.'].join('\n');
}

function showStatus(status) {
  const { storage } = status;
  // The store and the bus have names of their own where they are systems beside the server.
  const systems = [
    status.mongodb.enabled ? ['MongoDB', status.mongodb, connection(status.mongodb)]
      : ['Storage', storage,
        storage.problem || `${storage.kind}, last commit ${storage.latencyMs} ms`],
    status.redis.enabled ? ['Redis', status.redis, connection(status.redis)]
      : ['Bus', status.bus, status.bus.kind],
    ['WebSocket', { enabled: status.websocket.enabled, healthy: status.websocket.running },
      `${status.websocket.clientCount} clients on port ${status.websocket.port}${
        status.realTimeEvents ? '' : ', nothing is pushed: ENABLE_REAL_TIME_EVENTS is false'}`],
  ];
  const enabled = systems.filter(([, system]) => system.enabled);
  const healthy = enabled.filter(([, system]) => system.healthy);
  const all = healthy.length === enabled.length && !status.draining;
  const colour = healthy.length === 0 ? 'gray' : all ? 'green' : 'amber';
  const indicator = byId('indicator');
  indicator.className = `indicator ${colour}`;
  indicator.textContent =
    `[📡 Sync] [${healthy.length ? '✓' : '✗'} ${healthy.length}/${enabled.length} Sync]`;
  indicator.title = tooltip(status, enabled);
  byId('subtitle').textContent = `Memory of ${status.userId}, version ${status.version}`;
  byId('instance').textContent = `Node ${status.instanceId.slice(0, 8)}`;
  const list = byId('systems');
  list.replaceChildren();
  for (const [name, system, note] of systems) {
    const state = !system.enabled ? 'off' : system.healthy ? '✓' : '✗';
    const mark = system.enabled && !system.healthy ? 'amber' : '';
    const value = element('dd', mark, `${state} ${note}`);
    list.append(element('dt', '', name), value);
  }
  list.append(element('dt', '', 'Up since'),
    element('dd', '', new Date(status.startedAt).toLocaleString()));
}

// Whether a private instance is there is its own business.
function presenceOf(instance) {
  if (instance.presence) return 'connected';
  return instance.mode && instance.mode.currentMode === 'inspired' ? 'private' : 'away';
}

function showInstances(instances) {
  fill(byId('instances'), instances.map((instance) => row(instance.instanceId,
    [instance.mode ? instance.mode.currentMode : 'no mode said',
      presenceOf(instance)].join(', '))), 'None yet.');
}

function keepContext(context) {
  const known = contexts.get(context.contextKey);
  if (known && known.version >= context.version) return;
  contexts.set(context.contextKey, {
    key: context.contextKey, type: context.contextType, version: context.version,
    updatedAt: context.updatedAt, deleted: Boolean(context.deleted),
  });
}

// Keys are kept byte by byte: one that is not in normalization form C looks like another one, and
// shows the codes of its combining characters.
function shownKey(key) {
  if (key.normalize('NFC') === key) return key;
  return [...key].map((c) => (/[\p{M}\u1160-\u11ff]/u.test(c) || c.normalize('NFC') !== c
    ? `\\u${c.codePointAt(0).toString(16).padStart(4, '0')}` : c)).join('');
}

function showContexts() {
  const newest = [...contexts.values()].filter((context) => !context.deleted)
    .sort((a, b) => b.updatedAt - a.updatedAt);
  byId('context-count').textContent =
    newest.length ? `(${newest.length}${contextsComplete ? '' : ' and more'})` : '';
  fill(byId('contexts'), newest.slice(0, CONTEXTS_SHOWN).map((context) => row(
    shownKey(context.key),
    `${context.type}, version ${context.version}, ${time(context.updatedAt)}`)),
  'None yet. Try: dyad-memory context set notes \'{"hello":"world"}\'');
}

// Pages come by key: all of them are needed to know the newest, within reason.
async function loadContexts() {
  let cursor = '';
  for (let pages = 0; pages < CONTEXT_PAGES_MAX; pages += 1) {
    const page = await get(`contexts?limit=1000${cursor && '&cursor=' + cursor}`);
    page.contexts.forEach(keepContext);
    cursor = page.next;
    if (!cursor) break;
  }
  contextsComplete = !cursor;
  showContexts();
}

function describe(event) {
  const data = event.data;
  if (event.kind === 'context-changed') {
    return `${shownKey(data.context.contextKey)} ${data.action}`;
  }
  if (event.kind === 'mode-changed') return `${data.instanceId} is now ${data.currentMode}`;
  if (event.kind === 'response-recorded') {
    return `${data.final.provider} ${data.final.model} answered in ${data.chatId}`;
  }
  if (event.kind === 'claim-changed') {
    return `${data.claim.resource}: the claim of ${data.claim.instanceId} is ${data.action}`;
  }
  return event.kind;
}

function showEvent(event) {
  const list = byId('events');
  if (list.firstChild && list.firstChild.className === 'dim') list.replaceChildren();
  const item = row(describe(event), `#${event.offset} ${time(event.timestamp)}`);
  item.title = `by ${event.sourceInstanceId}`;
  item.className = 'new';
  list.prepend(item);
  while (list.childElementCount > EVENTS_SHOWN) list.lastChild.remove();
  if (event.kind === 'context-changed') keepContext(event.data.context);
}

function showConnection(live) {
  const state = byId('connection');
  state.className = live ? 'green' : 'amber';
  state.textContent = live ? '● live' : '○ reconnecting…';
}

function offline() {
  const indicator = byId('indicator');
  indicator.className = 'indicator gray';
  indicator.textContent = '[📡 Sync] [✗ 0/3 Sync]';
  indicator.title = 'The server does not answer.';
  byId('subtitle').textContent = 'The server does not answer; trying again…';
  // What was well when it was last seen is not known to be so now.
  for (const value of document.querySelectorAll('#systems dd')) {
    value.className = 'gray';
    value.textContent = value.textContent.replace(/^[✓✗]/, '?');
  }
}

async function refresh() {
  lastRefresh = Date.now();
  // Where the store is down the server still says so.
  const [status, instances] = await Promise.allSettled([get('status'), get('instances')]);
  if (status.status === 'fulfilled') showStatus(status.value);
  else offline();
  if (instances.status === 'fulfilled') showInstances(instances.value.instances);
}

function refreshSoon() {
  if (refreshTimer) return;
  const wait = Math.max(0, 500 - (Date.now() - lastRefresh));
  refreshTimer = setTimeout(() => { refreshTimer = 0; refresh(); showContexts(); }, wait);
}

function startAgain() {
  if (stream) stream.close();
  stream = null;
  showConnection(false);
  setTimeout(start, RECONNECT_MS);
}

function follow(position) {
  stream = new EventSource('api/v1/events/stream?after=' + position);
  for (const type of TYPES) {
    stream.addEventListener(type, (message) => {
      showEvent(JSON.parse(message.data));
      refreshSoon();
    });
  }
  stream.addEventListener('open', () => showConnection(true));
  // The log is another one now, a restored backup for example: nothing shown is of it.
  stream.addEventListener('reset', () => {
    byId('events').replaceChildren();
    startAgain();
  });
  stream.addEventListener('error', () => {
    showConnection(false);
    refreshSoon();
    // A browser tries again by itself but where it got an answer that is no stream.
    if (stream && stream.readyState === EventSource.CLOSED) startAgain();
  });
}

// The newest events and all contexts, then the events that follow them: no hole in between.
async function start() {
  try {
    const log = await get('events?limit=1');
    const after = Math.max(log.firstKept - 1, log.last - EVENTS_AT_START);
    const page = await get(`events?after=${after}&limit=1000`);
    byId('events').replaceChildren(element('li', 'dim', 'Waiting for the first event…'));
    contexts = new Map();
    page.events.forEach(showEvent);
    follow(page.position);
    await loadContexts();
  } catch {
    startAgain();
  }
}

refresh();
start();
setInterval(refresh, REFRESH_MS);

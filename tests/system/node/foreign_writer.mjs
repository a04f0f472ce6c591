// An existing Dyad instance as far as MongoDB and Redis can see it: its collections and indexes at
// the start, its documents, its envelopes, its subscription, with the libraries that it uses. It
// knows nothing of the log beside its documents.
//
// Usage: node foreign_writer.mjs MONGODB_URL DATABASE REDIS_URL INSTANCE_ID
// stdin: a line {"call": n, "op": name, ...} for each request, several may be under way;
// stdout: {"ready": instanceId}, then {"call": n, "ok": true, ...} or {"call": n, "error": text},
// and {"heard": envelope} for each message of others, {"other": text} where that is none.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { MongoClient } from "mongodb";
import { createClient } from "redis";

const [mongoUrl, database, redisUrl, instanceId] = process.argv.slice(2);
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

// As wire.md 1.4 has them; createIndex fails where one is there with other options.
const INDEXES = {
  mode_state: [
    [{ userId: 1, instanceId: 1 }, { unique: true }],
    [{ updatedAt: -1 }],
    [{ currentMode: 1, userId: 1 }],
  ],
  mode_transitions: [
    [{ userId: 1, timestamp: -1 }],
    [{ instanceId: 1, timestamp: -1 }],
    [{ toMode: 1, success: 1 }],
  ],
  distributed_context: [
    [{ userId: 1, contextKey: 1 }, { unique: true }],
    [{ contextType: 1, mode: 1 }],
    [{ "metadata.version": -1 }],
    [{ expiresAt: 1 }, { expireAfterSeconds: 0 }],
  ],
  ai_response_sources: [
    [{ userId: 1, chatId: 1, messageId: 1 }, { unique: true }],
    [{ responseHash: 1 }],
    [{ timestamp: -1 }],
    [{ mode: 1, sourceType: 1 }],
  ],
  sync_events: [
    [{ userId: 1, timestamp: -1 }],
    [{ eventType: 1, priority: 1 }],
    [{ targetInstances: 1, processedBy: 1 }],
    [{ expiresAt: 1 }, { expireAfterSeconds: 0 }],
  ],
};

const capabilities = (localAI, externalAI, multiChannel, offlineCapable, realTimeSync) =>
  ({ localAI, externalAI, multiChannel, offlineCapable, realTimeSync });
const CAPABILITIES = {
  inspired: capabilities(true, false, false, true, false),
  didactic: capabilities(false, true, false, false, true),
  parallel: capabilities(true, true, true, false, true),
};

// Journaled, which is the default of replica sets alone: what a database that is killed forgets
// after it has acknowledged it, nobody else can keep.
const mongo = new MongoClient(mongoUrl, {
  writeConcern: { w: "majority", journal: true },
  maxPoolSize: 10, minPoolSize: 2, connectTimeoutMS: 5000, serverSelectionTimeoutMS: 10000,
});
const db = mongo.db(database);
const contexts = db.collection("distributed_context");

async function createIndexes() {
  const all = await db.listCollections({}, { nameOnly: true }).toArray();
  const there = new Set(all.map((collection) => collection.name));
  for (const [name, indexes] of Object.entries(INDEXES)) {
    if (!there.has(name)) {
      // Another instance may have made it at the same moment.
      await db.createCollection(name).catch((error) => {
        if (error.codeName !== "NamespaceExists") throw error;
      });
    }
    for (const [keys, options] of indexes) await db.collection(name).createIndex(keys, options);
  }
}

async function openRedis() {
  const options = { url: redisUrl, socket: { reconnectStrategy: (n) => Math.min(n * 100, 3000) } };
  const publisher = createClient(options);
  const subscriber = createClient(options);
  for (const client of [publisher, subscriber]) {
    client.on("error", () => {}); // it reconnects by itself
    await client.connect();
  }
  await subscriber.pSubscribe("dyad:event:*", (text) => {
    try {
      const envelope = JSON.parse(text);
      if (!envelope.eventType) say({ other: text });
      else if (envelope.instanceId !== instanceId) say({ heard: envelope });
    } catch {
      say({ other: text });
    }
  });
  return publisher;
}

// How many received it; null where Redis takes it later, or never.
async function send(channel, text) {
  const late = new Promise((resolve) => setTimeout(resolve, 2000, null));
  return Promise.race([redis.publish(channel, text).catch(() => null), late]);
}

async function publish(eventType, userId, payload, given = {}) {
  const envelope = {
    eventId: randomUUID(), eventType, userId, instanceId, timestamp: Date.now(), payload, ...given,
  };
  const receivers = await send(`dyad:event:${eventType}`, JSON.stringify(envelope));
  return { eventId: envelope.eventId, receivers };
}

const BEFORE = { upsert: true, returnDocument: "before" };

// The documents that this write took away, where that can be told: one that deletes and then finds
// that somebody has made it meanwhile takes two.
async function writeContext({ userId, key, data, contextType, mode, version, how }) {
  const place = { userId, contextKey: key };
  const now = new Date();
  const set = {
    contextType, mode, data, updatedAt: now,
    "metadata.lastModifiedBy": instanceId, "metadata.version": version,
  };
  const first = {
    createdAt: now, expiresAt: null, "metadata.createdBy": instanceId, "metadata.tags": [],
  };
  const update = { $set: set, $setOnInsert: first };
  const whole = {
    ...place, contextType, mode, data, createdAt: now, updatedAt: now, expiresAt: null,
    metadata: { createdBy: instanceId, lastModifiedBy: instanceId, version, tags: [] },
  };
  switch (how) {
    case "findOneAndUpdate":
      return [await contexts.findOneAndUpdate(place, update, BEFORE)];
    case "findOneAndReplace":
      return [await contexts.findOneAndReplace(place, whole, BEFORE)];
    case "updateOne": {
      const before = await contexts.findOne(place);
      await contexts.updateOne(place, update, { upsert: true });
      return [before];
    }
    case "replaceOne": {
      const before = await contexts.findOne(place);
      await contexts.replaceOne(place, whole, { upsert: true });
      return [before];
    }
    case "deleteInsert": {
      const before = await contexts.findOneAndDelete(place);
      try {
        await contexts.insertOne({ ...whole });
        return [before];
      } catch (error) {
        if (error.code !== 11000) throw error;
      }
      return [before, await contexts.findOneAndUpdate(place, update, BEFORE)];
    }
    default:
      throw new Error(`there is no way '${how}' to write`);
  }
}

const operations = {
  async context(request) {
    const version = request.version === undefined ? Date.now() : request.version;
    const full = { contextType: "project", mode: "didactic", ...request, version };
    const taken = (await writeContext(full)).filter((document) => document !== null);
    const { userId, key, data } = request;
    const event = request.silent ? {} : await publish("context:updated", userId,
      { contextKey: key, contextType: request.contextType ?? "project", data, version });
    return { version, overwrote: taken.map((document) => document.data), ...event };
  },

  async mode({ userId, fromMode, toMode, as, silent }) {
    const instance = as ?? instanceId;
    const now = new Date();
    const started = await db.collection("mode_transitions").insertOne({
      userId, instanceId: instance, fromMode, toMode, contextSnapshot: null, transitionDuration: 12,
      success: true, errorMessage: null, timestamp: now, syncedAt: null,
    });
    await db.collection("mode_state").updateOne({ userId, instanceId: instance }, {
      $set: {
        currentMode: toMode, previousMode: fromMode, capabilities: CAPABILITIES[toMode],
        configuration: null, activatedAt: now, updatedAt: now,
      },
      $inc: { syncVersion: 1 },
    }, { upsert: true });
    const given = as ? { instanceId: as } : {};
    const event = silent ? {} : await publish("mode:changed", userId, { fromMode, toMode }, given);
    return { transition: started.insertedId.toHexString(), timestamp: now.getTime(), ...event };
  },

  async response({ userId, document, own }) {
    const full = {
      userId, instanceId, mode: "didactic", sourceType: "external", confidence: 0.5, metadata: {},
      ...document,
    };
    const timestamp = new Date();
    if (own) await db.collection("ai_response_sources").insertOne({ ...full, timestamp });
    return publish("response:generated", userId, full);
  },

  async publish({ userId, eventType, payload, given }) {
    return publish(eventType, userId, payload, given);
  },

  async raw({ channel, text }) {
    return { receivers: await send(channel, text) };
  },

  async read({ userId }) {
    const found = {};
    for (const name of Object.keys(INDEXES).filter((name) => name !== "sync_events")) {
      const cursor = db.collection(name).find({ userId }).sort({ timestamp: 1, _id: 1 });
      found[name] = await cursor.toArray();
    }
    return found;
  },

  async indexes() {
    await createIndexes();
    return {};
  },
};

await mongo.connect();
await createIndexes();
const redis = await openRedis();
say({ ready: instanceId });

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  operations[request.op](request)
    .then((answer) => say({ call: request.call, ok: true, ...answer }))
    .catch((error) => say({ call: request.call, error: `${error.name}: ${error.message}` }));
}
process.exit(0);

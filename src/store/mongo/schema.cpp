#include "store/mongo/schema.hpp"

#include "store/mongo/bson/event_documents.hpp"

#include <array>
#include <chrono>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace dyad::mongo {
namespace {

constexpr std::int64_t kForm = 1;            // of what is stored
constexpr std::int64_t kWireVersionMin = 9;  // MongoDB 4.4
constexpr std::size_t kSecretBytes = 32;
// CommandNotFound, and the driver's own words.
constexpr std::array<std::string_view, 2> kTooOld = {"(code 59)", "requires at least"};
// IndexOptionsConflict, IndexKeySpecsConflict, CannotCreateIndex
constexpr std::array<std::string_view, 3> kIndexConflicts = {"(code 85)", "(code 86)", "(code 67)"};

struct Index {
    using Keys = std::vector<std::pair<std::string_view, int>>;
    std::string_view collection;
    Keys keys;
    bool unique = false;
    bool expires = false;         // at the date in the field
    std::string_view where = {};  // partial: documents with this field
};

// Those of existing instances (wire.md 1.4) first; never change one.
std::span<const Index> indexes() {
    static const std::vector<Index> all = {
        {kModes, {{"userId", 1}, {"instanceId", 1}}, true},
        {kModes, {{"updatedAt", -1}}},
        {kModes, {{"currentMode", 1}, {"userId", 1}}},
        {kTransitions, {{"userId", 1}, {"timestamp", -1}}},
        {kTransitions, {{"instanceId", 1}, {"timestamp", -1}}},
        {kTransitions, {{"toMode", 1}, {"success", 1}}},
        {kContexts, {{"userId", 1}, {"contextKey", 1}}, true},
        {kContexts, {{"contextType", 1}, {"mode", 1}}},
        {kContexts, {{"metadata.version", -1}}},
        {kContexts, {{"expiresAt", 1}}, false, true},
        {kResponses, {{"userId", 1}, {"chatId", 1}, {"messageId", 1}}, true},
        {kResponses, {{"responseHash", 1}}},
        {kResponses, {{"timestamp", -1}}},
        {kResponses, {{"mode", 1}, {"sourceType", 1}}},
        {kEvents, {{"userId", 1}, {"timestamp", -1}}},
        {kEvents, {{"eventType", 1}, {"priority", 1}}},
        {kEvents, {{"targetInstances", 1}, {"processedBy", 1}}},
        {kEvents, {{"expiresAt", 1}}, false, true},
        // Ours: the first two decide every race.
        {kEvents, {{"userId", 1}, {"offset", 1}}, true},
        {kEvents, {{"userId", 1}, {"sourceInstanceId", 1}, {"operationId", 1}}, true},
        {kEvents, {{"userId", 1}, {"scope", 1}, {"offset", -1}}},
        {kEvents,
         {{"userId", 1}, {"sourceInstanceId", 1}, {"expired", 1}, {"offset", -1}},
         false,
         false,
         "expired"},
        {kState, {{"userId", 1}, {"deleted", 1}, {"offset", 1}}},
        {kState, {{"expires", 1}}, false, false, "expires"},
        {kHeads, {{"oldest", 1}}, false, false, "oldest"},
        {kTransitions, {{"userId", 1}, {"dyad.offset", 1}}, true, false, "dyad.offset"},
        {kTransitions, {{"userId", 1}, {"dyad.check", 1}}},
        {kResponses, {{"userId", 1}, {"dyad.offset", -1}}, false, false, "dyad.offset"},
    };
    return all;
}

// As every driver names it by itself: "userId_1_timestamp_-1".
std::string name_of(const Index& index) {
    std::string name;
    for (const auto& [field, direction] : index.keys)
        name.append(name.empty() ? "" : "_")
            .append(field)
            .append("_")
            .append(std::to_string(direction));
    return name;
}

Bson document_of(const Index& index) {
    Bson keys;
    for (const auto& [field, direction] : index.keys)
        keys.small(field, direction);
    Bson document;
    document.sub("key", keys).text("name", name_of(index));
    if (index.unique) document.flag("unique", true);
    if (index.expires) document.small("expireAfterSeconds", 0);
    if (!index.where.empty())
        document.sub("partialFilterExpression",
                     Bson().sub(index.where, Bson().flag("$exists", true)));
    return document;
}

// What an index is, without how its numbers are written.
std::string essence_of(BsonView index) {
    std::string out;
    index.sub("key").members([&](std::string_view field, const BsonValue&) {
        const auto direction = index.sub("key").real(field);
        out.append(field).append(direction.value_or(0) < 0 ? "-" : "+");
    });
    out.append(index.flag("unique").value_or(false) ? " unique" : "");
    if (const auto seconds = index.real("expireAfterSeconds"))
        out.append(" expires ").append(std::to_string(static_cast<std::int64_t>(*seconds)));
    index.sub("partialFilterExpression").members([&](std::string_view field, const BsonValue&) {
        out.append(" where ").append(field);
    });
    return out;
}

Error index_error(std::string_view collection, const Error& error) {
    for (const std::string_view code : kIndexConflicts)
        if (error.detail.find(code) != std::string::npos)
            return fail(Errc::invalid_field,
                        "MONGODB_DATABASE: an index of " + std::string(collection) +
                            " differs from the one that is needed; drop that index, or choose "
                            "another database (" +
                            error.detail + ")");
    return error;
}

Error too_old() {
    return fail(Errc::storage_newer,
                "MONGODB_URL: this server is older than MongoDB 4.4; update it, or use another "
                "one");
}

}  // namespace

Result<Deployment> greet(Client& client, Clock& clock) {
    const auto before = std::chrono::steady_clock::now();
    const std::int64_t wall_ms = clock.wall_ms();
    const Result<Bson> hello = client.run(Bson().small("hello", 1), "admin");
    if (!hello) {
        for (const std::string_view words : kTooOld)
            if (hello.error().detail.find(words) != std::string::npos) return too_old();
        return hello.error();
    }
    Deployment found;
    found.latency_us = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::steady_clock::now() - before)
                           .count();
    const BsonView view = hello->view();
    if (view.number("maxWireVersion").value_or(0) < kWireVersionMin) return too_old();
    if (!view.flag("isWritablePrimary").value_or(false))
        return fail(Errc::storage_unavailable,
                    "MongoDB not connected: this server is not the primary of its set at present");
    found.replica_set = view.text("setName") || view.text("msg") == "isdbgrid";
    if (const auto theirs = view.date("localTime"))
        found.clock_offset_ms = *theirs - wall_ms - found.latency_us / 2000;
    return found;
}

Result<Identity> identify(Client& client, Random& random, std::uint64_t seed) {
    std::array<std::uint8_t, kSecretBytes> secret{};
    random.fill(secret);
    while (seed == 0)
        seed = random.next_u64();
    // The first write that is waited for: a server without a journal refuses it.
    const Update make{.filter = Bson().text("_id", "store"),
                      .change = Bson().sub("$setOnInsert", Bson()
                                                               .number("form", kForm)
                                                               .number("seed", signed_bits(seed))
                                                               .binary("secret", secret)),
                      .upsert = true};
    const Result<Written> made = client.update(kMeta, {&make, 1});
    if (!made) {
        if (made.error().code != Errc::internal) return made.error();
        return fail(Errc::invalid_field,
                    "MONGODB_URL: this server does not take writes that wait for its journal, "
                    "without which nothing is safe (" +
                        made.error().detail + ")");
    }
    ASSIGN_OR_RETURN(const auto found, client.find_one(kMeta, Bson().text("_id", "store")));
    const auto damaged = [] {
        return fail(Errc::storage_damaged, "MongoDB: dyad_meta does not say what store this is");
    };
    if (!found) return damaged();
    const BsonView view = found->view();
    if (view.number("form").value_or(0) > kForm)
        return fail(Errc::storage_newer,
                    "MONGODB_DATABASE: a newer version of this server wrote "
                    "it; use that version");
    if (view.flag("moving").value_or(false))
        return fail(Errc::storage_damaged,
                    "MONGODB_DATABASE: a restore or a migration into it was broken off; run that "
                    "again");
    const auto stored = view.number("seed");
    const auto key = view.binary("secret");
    if (!stored || *stored == 0 || !key || key->size() != kSecretBytes) return damaged();
    return Identity{.seed = static_cast<std::uint64_t>(*stored),
                    .secret = std::string(key->begin(), key->end())};
}

Result<bool> still_stands(Client& client, const Identity& identity) {
    ASSIGN_OR_RETURN(const auto store, client.find_one(kMeta, Bson().text("_id", "store")));
    if (!store || store->view().flag("moving").value_or(false) ||
        store->view().number("seed") != signed_bits(identity.seed))
        return false;
    const Result<Bson> list = client.run(Bson().text("listIndexes", kEvents));
    if (!list && list.error().code == Errc::internal) return false;  // there is no such collection
    if (!list) return list.error();
    std::size_t unique = 0;
    list->view().sub("cursor.firstBatch").members([&](std::string_view, const BsonValue& one) {
        const BsonView index(one);
        for (const Index& needed : indexes())
            if (needed.unique && needed.collection == kEvents &&
                essence_of(index) == essence_of(document_of(needed).view()))
                ++unique;
    });
    return unique == 2;
}

Status begin_move(Client& client, const Identity& identity) {
    const std::string& secret = identity.secret;
    const Bson store =
        Bson()
            .number("form", kForm)
            .number("seed", signed_bits(identity.seed))
            .binary("secret", {reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()})
            .flag("moving", true);
    const Update put{.filter = Bson().text("_id", "store"), .change = store, .upsert = true};
    ASSIGN_OR_RETURN(const Written written, client.update(kMeta, {&put, 1}));
    if (written.failures.empty()) return Done{};
    return fail(Errc::internal, "MongoDB: " + written.failures.front().text);
}

Status end_move(Client& client) {
    const Update put{.filter = Bson().text("_id", "store"),
                     .change = Bson().sub("$unset", Bson().text("moving", ""))};
    TRY(client.update(kMeta, {&put, 1}));
    return Done{};
}

Result<bool> is_moving(Client& client) {
    ASSIGN_OR_RETURN(const auto found,
                     client.find_one(kMeta, Bson().text("_id", "store").flag("moving", true)));
    return found.has_value();
}

Bson index_list(std::string_view collection) {
    Bson list;
    std::size_t count = 0;
    for (const Index& index : indexes())
        if (index.collection == collection) list.sub(std::to_string(count++), document_of(index));
    return list;
}

Status make_indexes(Client& client) {
    for (const std::string_view collection :
         {kModes, kTransitions, kContexts, kResponses, kEvents, kState, kHeads}) {
        const Result<Bson> made = client.run(
            Bson().text("createIndexes", collection).array("indexes", index_list(collection)));
        if (!made) return index_error(collection, made.error());
    }
    return Done{};
}

Result<IndexReport> look_at_indexes(Client& client) {
    IndexReport report;
    std::map<std::string, std::string, std::less<>> there;  // essences, by collection and name
    for (const std::string_view collection :
         {kModes, kTransitions, kContexts, kResponses, kEvents, kState, kHeads}) {
        const Result<Bson> list = client.run(Bson().text("listIndexes", collection));
        if (!list && list.error().code != Errc::internal) return list.error();
        if (!list) continue;  // there is no such collection
        list->view().sub("cursor.firstBatch").members([&](std::string_view, const BsonValue& one) {
            const BsonView index(one);
            there[std::string(collection) + "." + std::string(index.text("name").value_or(""))] =
                essence_of(index);
        });
    }
    for (const Index& index : indexes()) {
        const std::string name = std::string(index.collection) + "." + name_of(index);
        const auto found = there.find(name);
        if (found == there.end())
            report.missing.push_back(name);
        else if (found->second != essence_of(document_of(index).view()))
            report.other.push_back(name);
        else
            ++report.good;
    }
    return report;
}

}  // namespace dyad::mongo

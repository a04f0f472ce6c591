#include "store/mongo/retention.hpp"

#include "base/limits.hpp"
#include "store/mongo/state_documents.hpp"

#include <algorithm>
#include <optional>

namespace dyad::mongo {
namespace {

constexpr Offset kAtOnce = 512;
constexpr std::int64_t kInstancesMax = 100'000;  // of one user, in one answer
// What a date may be: the years 1 to 9999, which every reader of BSON knows.
constexpr std::int64_t kDateMin = -62'135'596'800'000;
constexpr std::int64_t kDateMax = 253'402'300'799'999;

std::int64_t as_date(std::int64_t ms) {
    return std::clamp(ms, kDateMin, kDateMax);
}

// The first event that is kept, and its date, if there is one.
struct Cut {
    Offset first_kept;
    std::optional<std::int64_t> oldest_ms;
};

// Looks at events up to `last`: what is not projected yet is kept, however old it is.
Result<Cut> find_cut(Client& client, const std::string& user_id, Offset from, Offset last,
                     std::int64_t before_ms) {
    Cut cut{.first_kept = from, .oldest_ms = {}};
    while (cut.first_kept <= last) {
        const Offset start = cut.first_kept;
        const Bson range = Bson()
                               .number("$gte", signed_bits(start))
                               .number("$lte", signed_bits(std::min(start + kAtOnce - 1, last)));
        FindOptions options;
        options.sort.number("offset", 1);
        options.fields.number("offset", 1).number("timestamp", 1);
        const auto take = [&](BsonView event) {
            const std::int64_t at_ms = event.date("timestamp").value_or(0);
            if (at_ms >= before_ms) cut.oldest_ms = at_ms;
            if (cut.oldest_ms) return false;
            cut.first_kept = static_cast<Offset>(*event.number("offset")) + 1;
            return true;
        };
        TRY(client.each(kEvents, Bson().text("userId", user_id).sub("offset", range), options,
                        take));
        if (cut.oldest_ms || cut.first_kept == start) break;
    }
    return cut;
}

Status update_one(Client& client, std::string_view collection, Bson filter, Bson change) {
    const Update update{.filter = std::move(filter), .change = std::move(change)};
    ASSIGN_OR_RETURN(const Written written, client.update(collection, {&update, 1}));
    if (written.failures.empty()) return Done{};
    return fail(Errc::internal, "MongoDB: " + written.failures.front().text);
}

// Everything before `first_kept` becomes what stays of it. Answers how many events that were.
Result<std::size_t> erase(Client& client, const std::string& user_id, Offset first_kept) {
    Bson gone;
    for (const char* field : {"eventType", "eventData", "targetInstances", "processedBy",
                              "priority", "timestamp", "epoch", "kind", "scope", "version", "text",
                              "prev", "hash", "contentHash", "salt", "fingerprint"})
        gone.text(field, "");
    const Bson range = Bson().number("$gte", 1).number("$lt", signed_bits(first_kept));
    const Update update{.filter = Bson().text("userId", user_id).sub("offset", range),
                        .change = Bson()
                                      .sub("$mul", Bson().number("offset", -1))
                                      .sub("$set", Bson().flag("expired", true))
                                      .sub("$unset", gone),
                        .all = true};
    ASSIGN_OR_RETURN(const Written written, client.update(kEvents, {&update, 1}));
    if (!written.failures.empty())
        return fail(Errc::internal, "MongoDB: " + written.failures.front().text);
    return static_cast<std::size_t>(written.modified);
}

struct Expired {
    std::string instance_id;
    std::int64_t count;
    std::int64_t newest;  // where it stood
};

Result<std::vector<Expired>> expired_by_instance(Client& client, const std::string& user_id) {
    const Bson match = Bson().sub("$match", Bson().text("userId", user_id).flag("expired", true));
    const Bson group = Bson().sub("$group", Bson()
                                                .text("_id", "$sourceInstanceId")
                                                .sub("count", Bson().number("$sum", 1))
                                                .sub("newest", Bson().text("$min", "$offset")));
    ASSIGN_OR_RETURN(const Bson reply,
                     client.run(Bson()
                                    .text("aggregate", kEvents)
                                    .array("pipeline", Bson().sub("0", match).sub("1", group))
                                    .sub("cursor", Bson().number("batchSize", kInstancesMax))));
    std::vector<Expired> all;
    reply.view().sub("cursor.firstBatch").members([&](std::string_view, const BsonValue& value) {
        const BsonView one(value);
        all.push_back({std::string(one.text("_id").value_or("")), one.number("count").value_or(0),
                       -one.number("newest").value_or(0)});
    });
    return all;
}

Status forget_operations(Client& client, const std::string& user_id) {
    constexpr std::int64_t kOperations = limits::expired_operations_per_instance_max;
    constexpr std::size_t kInstances = limits::expired_operations_instances_max;
    ASSIGN_OR_RETURN(std::vector<Expired> all, expired_by_instance(client, user_id));
    std::sort(all.begin(), all.end(),
              [](const Expired& a, const Expired& b) { return a.newest > b.newest; });
    for (std::size_t i = 0; i < all.size(); ++i) {
        Bson filter;
        filter.text("userId", user_id)
            .text("sourceInstanceId", all[i].instance_id)
            .flag("expired", true);
        if (i >= kInstances) {
            TRY(client.remove(kEvents, filter));
        } else if (all[i].count > kOperations) {
            std::int64_t last = 0;
            TRY(client.each(kEvents, filter,
                            {.sort = Bson().number("offset", -1),
                             .fields = Bson().number("offset", 1),
                             .limit = all[i].count - kOperations},
                            [&](BsonView one) {
                                last = one.number("offset").value_or(0);
                                return true;
                            }));
            filter.sub("offset", Bson().number("$gte", last));
            TRY(client.remove(kEvents, filter));
        }
    }
    return Done{};
}

}  // namespace

Result<std::vector<std::string>> users_due(Client& client, std::int64_t before_ms) {
    std::vector<std::string> users;
    const Bson before = Bson().date("$lt", as_date(before_ms));
    TRY(client.each(kHeads, Bson().sub("oldest", before), {.fields = Bson().number("_id", 1)},
                    [&](BsonView head) {
                        users.emplace_back(head.text("_id").value_or(""));
                        return true;
                    }));
    return users;
}

Result<std::size_t> expire_user(Client& client, UserLogs& logs, const std::string& user_id,
                                std::int64_t before_ms) {
    TRY(bring_up(client, logs, user_id));
    ASSIGN_OR_RETURN(const HeadDocument head, logs.head_document(user_id));
    ASSIGN_OR_RETURN(const Cut cut,
                     find_cut(client, user_id, head.first_kept, head.projected.offset, before_ms));
    // First nobody takes them for kept any more; then they go; then the user is not due.
    if (cut.first_kept != head.first_kept)
        TRY(update_one(
            client, kHeads, Bson().text("_id", user_id),
            Bson().sub("$max", Bson().number("firstKept", signed_bits(cut.first_kept)))));
    ASSIGN_OR_RETURN(const std::size_t erased, erase(client, user_id, cut.first_kept));
    if (erased > 0) TRY(forget_operations(client, user_id));
    TRY(drop_places(client, user_id, cut.first_kept));
    Bson change;
    if (cut.oldest_ms)
        change.sub("$set", Bson().date("oldest", *cut.oldest_ms));
    else
        change.sub("$unset", Bson().text("oldest", ""));
    // Somebody may have projected the first event since.
    TRY(update_one(
        client, kHeads,
        Bson().text("_id", user_id).number("projected.offset", signed_bits(head.projected.offset)),
        std::move(change)));
    return erased;
}

}  // namespace dyad::mongo

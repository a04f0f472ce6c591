#include "store/dump/restore.hpp"
#include "store/dump/user_log.hpp"
#include "store/mongo/bson/wire_documents.hpp"
#include "store/mongo/schema.hpp"
#include "store/mongo/state_documents.hpp"

#include <algorithm>
#include <map>

namespace dyad::dump {
namespace {

using mongo::signed_bits;

Bson exists(std::string_view field) {
    return Bson().sub(field, Bson().flag("$exists", true));
}

Result<std::int64_t> count_of(mongo::Client& client, std::string_view collection) {
    ASSIGN_OR_RETURN(const Bson counted, client.run(Bson().text("count", collection)));
    return counted.view().number("n").value_or(0);
}

// Documents on their way into the collections, many at a time.
class Inserter {
  public:
    Inserter(mongo::Client& client, RestoreReport& report) : client_(client), report_(report) {}

    Status add(std::string_view collection, Bson document) {
        constexpr std::size_t kDocuments = 500, kBytes = 4 << 20;
        Waiting& waiting = waiting_[std::string(collection)];
        waiting.bytes += document.bytes();
        waiting.documents.push_back(std::move(document));
        if (waiting.documents.size() < kDocuments && waiting.bytes < kBytes) return Done{};
        return flush(collection, waiting);
    }
    Status flush() {
        for (auto& [collection, waiting] : waiting_)
            TRY(flush(collection, waiting));
        return Done{};
    }
    // That what was inserted is there, beside what was there `before`.
    Status check(const std::map<std::string, std::int64_t>& before) {
        for (const auto& [collection, waiting] : waiting_) {
            ASSIGN_OR_RETURN(const std::int64_t now, count_of(client_, collection));
            const auto had = before.find(collection);
            const std::int64_t due = waiting.inserted + (had == before.end() ? 0 : had->second);
            if (now != due)
                return fail(Errc::internal, "MongoDB: " + collection + " has " +
                                                std::to_string(now) + " documents instead of " +
                                                std::to_string(due) +
                                                "; does somebody else write to it?");
        }
        return Done{};
    }

  private:
    struct Waiting {
        std::vector<Bson> documents;
        std::size_t bytes = 0;
        std::int64_t inserted = 0;
    };

    // What existing instances have under the same name stays: a server adopts it.
    Status flush(std::string_view collection, Waiting& waiting) {
        const bool shared = collection != mongo::kEvents && !collection.starts_with("dyad_");
        for (std::span<const Bson> left = waiting.documents; !left.empty();) {
            ASSIGN_OR_RETURN(const mongo::Written written, client_.insert(collection, left));
            const auto& failures = written.failures;
            const std::size_t good = failures.empty() ? left.size() : failures.front().index;
            waiting.inserted += static_cast<std::int64_t>(good);
            if (failures.empty()) break;
            if (!shared || failures.front().code != mongo::kDuplicateKey)
                return fail(Errc::internal, "MongoDB: " + failures.front().text);
            report_.left += 1;
            left = left.subspan(good + 1);
        }
        waiting.documents.clear();
        waiting.bytes = 0;
        return Done{};
    }

    mongo::Client& client_;
    RestoreReport& report_;
    std::map<std::string, Waiting> waiting_;
};

class DatabaseRestore {
  public:
    DatabaseRestore(const Dump& from, mongo::Client& client, RestoreReport& report, Random& random)
        : from_(from), to_(client, report), report_(report), random_(random) {}

    Status user(DumpedLog log) {
        report_.users += log.exists ? 1 : 0;
        report_.beyond += log.beyond;
        TRY(copy_documents(log));
        if (!log.exists) return Done{};
        TRY(from_.each(mongo::kEvents, log.user, [&](BsonView document) {
            return document.number("offset").value_or(0) < 0
                       ? to_.add(mongo::kEvents, Bson::copy_of(document.get()))
                       : Status(Done{});
        }));
        std::optional<std::int64_t> oldest_ms;
        const auto put = [&](EventBatchPtr batch) {
            if (!oldest_ms) oldest_ms = batch->entries.front().timestamp_ms;
            return mongo::for_each_change(*batch, [&](Offset offset, const Change& change) {
                return to_.add(mongo::kEvents,
                               mongo::event_document(log.user, *batch, offset, change));
            });
        };
        TRY(write_events(from_, log, put));
        report_.events += log.events;
        for (const Change& change : log.ahead)
            TRY(put(append_adopted(log, change, "restore:" + random_.uuid4(), random_)));
        report_.adopted += log.ahead.size();
        // Without `documents`: each context's is looked at again.
        Bson head;
        head.text("_id", log.user)
            .sub("projected", mongo::head_document(log.projected))
            .number("firstKept", signed_bits(log.first_kept));
        if (log.forgotten != 0) head.number("forgotten", signed_bits(log.forgotten));
        if (oldest_ms) head.date("oldest", *oldest_ms);
        return to_.add(mongo::kHeads, std::move(head));
    }

    // What is of no user's log, in any collection.
    Status others() {
        for (const std::string& name : from_.collections()) {
            if (name == mongo::kMeta) continue;
            const auto put = [&](BsonView document) {
                report_.documents += 1;
                return to_.add(name, Bson::copy_of(document.get()));
            };
            TRY(from_.each_other(name, put));
            if (std::find(kCollections.begin(), kCollections.end(), name) != kCollections.end())
                continue;
            for (const std::string& user : from_.users())
                TRY(from_.each(name, user, put));
        }
        return Done{};
    }

    Inserter& inserter() noexcept { return to_; }

  private:
    // All but the log, and what is ahead of it.
    Status copy_documents(const DumpedLog& log) {
        TRY(from_.each(mongo::kState, log.user, [&](BsonView document) {
            if (log.is_after_end(document.number("offset").value_or(0))) return Status(Done{});
            return to_.add(mongo::kState, Bson::copy_of(document.get()));
        }));
        for (const std::string_view name :
             {mongo::kContexts, mongo::kModes, mongo::kTransitions, mongo::kResponses})
            TRY(from_.each(name, log.user, [&](BsonView document) {
                const bool ours = mongo::is_ours(document);
                if (ours && log.is_after_end(document.number("dyad.offset").value_or(0)))
                    return Status(Done{});
                report_.documents += ours ? 0 : 1;
                return to_.add(name, Bson::copy_of(document.get()));
            }));
        return Done{};
    }

    const Dump& from_;
    Inserter to_;
    RestoreReport& report_;
    Random& random_;
};

// Everything but the mark of what goes on.
Status drop_all(mongo::Client& client) {
    for (const std::string_view name : kCollections) {
        if (name == mongo::kMeta) continue;
        const auto dropped = client.run(Bson().text("drop", name));
        if (!dropped && dropped.error().code != Errc::internal) return dropped.error();
    }
    TRY(client.remove(mongo::kMeta, Bson().sub("_id", Bson().text("$ne", "store"))));
    return Done{};
}

// Of an attempt that was broken off. What it took from existing instances is met again.
Status remove_ours(mongo::Client& client) {
    TRY(client.remove(mongo::kState, Bson()));
    TRY(client.remove(mongo::kHeads, Bson()));
    TRY(client.remove(mongo::kEvents, exists("offset")));
    for (const std::string_view name :
         {mongo::kContexts, mongo::kModes, mongo::kTransitions, mongo::kResponses})
        TRY(client.remove(name, exists("dyad")));
    return Done{};
}

}  // namespace

Result<Target> look_at_target(mongo::Client& client) {
    ASSIGN_OR_RETURN(const bool moving, mongo::is_moving(client));
    if (moving) return Target::broken_off;
    for (const auto& [name, filter] : {std::pair{mongo::kHeads, Bson()},
                                       {mongo::kState, Bson()},
                                       {mongo::kEvents, exists("offset")}}) {
        ASSIGN_OR_RETURN(const auto any, client.find_one(name, filter));
        if (any) return Target::logs;
    }
    for (const std::string_view name : kCollections) {
        if (name == mongo::kMeta) continue;
        ASSIGN_OR_RETURN(const auto any, client.find_one(name, Bson()));
        if (any) return Target::others;
    }
    return Target::empty;
}

Result<RestoreReport> restore_to_database(const Dump& from, mongo::Client& client,
                                          const RestoreOptions& options, Random& random) {
    SystemClock clock;
    const bool same = options.same_log && from.seed() != 0;
    const std::uint64_t seed = same ? from.seed() : random.next_u64() | 1;
    mongo::Identity identity{.seed = seed, .secret = std::string(32, '\0')};
    random.fill({reinterpret_cast<std::uint8_t*>(identity.secret.data()), identity.secret.size()});
    // Nothing is written before every log was found whole.
    std::size_t done = 0;
    const std::size_t of = 2 * from.users().size();
    for (const std::string& user : from.users()) {
        const Result<DumpedLog> log = survey(from, user, same ? 0 : seed);
        if (!log) return log.error();
        options.progress(++done, of);
    }
    ASSIGN_OR_RETURN(const Target target, look_at_target(client));
    CHECK(options.replace || target != Target::logs);
    TRY(mongo::begin_move(client, identity));
    TRY(options.replace ? drop_all(client) : remove_ours(client));
    TRY(mongo::make_indexes(client));
    std::map<std::string, std::int64_t> before;
    for (const std::string& name : from.collections()) {
        ASSIGN_OR_RETURN(before[name], count_of(client, name));
    }
    RestoreReport report;
    DatabaseRestore restore(from, client, report, random);
    for (const std::string& user : from.users()) {
        ASSIGN_OR_RETURN(DumpedLog log, survey(from, user, same ? 0 : seed));
        TRY(restore.user(std::move(log)));
        options.progress(++done, of);
    }
    TRY(restore.others());
    TRY(restore.inserter().flush());
    TRY(restore.inserter().check(before));
    TRY(mongo::end_move(client));
    return report;
}

}  // namespace dyad::dump

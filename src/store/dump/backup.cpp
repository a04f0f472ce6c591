#include "store/dump/backup.hpp"

#include "base/bytes.hpp"
#include "store/dump/log_walk.hpp"
#include "store/mongo/bson/wire_documents.hpp"
#include "store/mongo/schema.hpp"
#include "store/mongo/state_documents.hpp"

#include <map>

namespace dyad::dump {
namespace {

using mongo::kContexts;
using mongo::kEvents;
using mongo::kHeads;
using mongo::kMeta;
using mongo::kModes;
using mongo::kResponses;
using mongo::kState;
using mongo::kTransitions;
using mongo::signed_bits;

constexpr std::size_t kToldEach = 1024;

BackupReport report_of(DumpWriter& to, std::size_t users, std::size_t events) {
    BackupReport report{.users = users, .events = events};
    for (const std::string_view name : kCollections)
        report.documents += to.count(name);
    return report;
}

// ---- the embedded store ---------------------------------------------------------------------

// One user's rows as the documents that a server on MongoDB would have written. Of modes,
// conflicts and claims the tables do not say which event made them so: the log's end is late
// enough.
class UserBackup {
  public:
    UserBackup(sqlite::MemoryReader& from, DumpWriter& to, std::string user)
        : from_(from), to_(to), user_(std::move(user)) {}

    // Answers how many events it has.
    Result<std::size_t> run() {
        ASSIGN_OR_RETURN(log_, from_.head(user_));
        ASSIGN_OR_RETURN(const State state, from_.state(log_.user));
        TRY(write_state(state));
        TRY(write_history());
        TRY(from_.expired(log_.user, [this](const sqlite::ExpiredKeys& keys) {
            const std::string name = std::to_string(signed_bits(keys.instance));
            Bson document = mongo::state_document(mongo::state_id(user_, "operations", name), user_,
                                                  "operations", name, keys.last, "");
            document.number("instance", signed_bits(keys.instance))
                .binary("keys", {reinterpret_cast<const std::uint8_t*>(keys.keys.data()),
                                 keys.keys.size()});
            return to_.add(kState, document.view());
        }));
        std::optional<std::int64_t> oldest_ms;
        std::size_t events = 0;
        TRY(from_.events(log_, [&](const EventBatch& batch) -> Status {
            if (!oldest_ms) oldest_ms = batch.entries.front().timestamp_ms;
            events += batch.size();
            return mongo::for_each_change(batch, [&](Offset offset, const Change& change) {
                return to_.add(kEvents, mongo::event_document(user_, batch, offset, change).view());
            });
        }));
        Bson head;
        head.text("_id", user_)
            .sub("projected", mongo::head_document(log_.head))
            .number("firstKept", signed_bits(log_.first_kept))
            .number("documents", signed_bits(log_.head.offset));
        if (state.forgotten_version != 0)
            head.number("forgotten", signed_bits(state.forgotten_version));
        if (oldest_ms) head.date("oldest", *oldest_ms);
        TRY(to_.add(kHeads, head.view()));
        return events;
    }

  private:
    Status add_state(std::string_view kind, const std::string& name, Offset offset,
                     const mongo::StateDates& dates = {}) {
        return to_.add(kState, mongo::state_document(mongo::state_id(user_, kind, name), user_,
                                                     kind, name, offset, text_, dates)
                                   .view());
    }

    Status write_state(const State& state) {
        for (const auto& [key, context] : state.contexts) {
            text_.clear();
            write_context(text_, *context);
            TRY(add_state("context", key, context->offset, mongo::dates_of(*context)));
            if (context->deleted) continue;
            ASSIGN_OR_RETURN(const Bson document, mongo::context_document(user_, *context));
            TRY(to_.add(kContexts, document.view()));
        }
        for (const auto& [instance, mode] : state.modes) {
            text_.clear();
            write_mode(text_, mode);
            TRY(add_state("mode", instance, log_.head.offset));
            ASSIGN_OR_RETURN(const Bson document,
                             mongo::mode_document(user_, log_.head.offset, mode));
            TRY(to_.add(kModes, document.view()));
        }
        for (const auto& [id, conflict] : state.conflicts) {
            text_.clear();
            write_conflict(text_, conflict);
            TRY(add_state("conflict", id, log_.head.offset));
        }
        for (const auto& [resource, claim] : state.claims) {
            text_.clear();
            write_claim(text_, claim);
            TRY(add_state("claim", resource, log_.head.offset,
                          {.expires_at_ms = claim.expires_at_ms}));
        }
        return Done{};
    }

    Status write_history() {
        TRY(from_.transitions(log_.user, [&](Offset offset, std::string_view json) -> Status {
            ASSIGN_OR_RETURN(const ModeState mode, read_mode(json));
            ASSIGN_OR_RETURN(const Bson document, mongo::transition_document(user_, offset, mode));
            return to_.add(kTransitions, document.view());
        }));
        return from_.responses(log_.user, [&](Offset offset, std::string_view json) -> Status {
            ASSIGN_OR_RETURN(ResponseRecord record, read_response(json));
            record.offset = offset;
            ASSIGN_OR_RETURN(const Bson document, mongo::response_document(user_, record));
            return to_.add(kResponses, document.view());
        });
    }

    sqlite::MemoryReader& from_;
    DumpWriter& to_;
    const std::string user_;
    sqlite::StoredHead log_;
    std::string text_;
};

// ---- MongoDB --------------------------------------------------------------------------------

// The events are read in the order of users and offsets, after all that is derived from them.
class EventsBackup {
  public:
    EventsBackup(mongo::Client& client, DumpWriter& to, const Progress& progress)
        : client_(client), to_(to), progress_(progress) {}

    // How far each user's state was projected, before anything derived was read.
    void saw_head(BsonView head) {
        const auto offset = head.number("projected.offset");
        if (offset)
            projected_[std::string(head.text("_id").value_or(""))] = static_cast<Offset>(*offset);
    }

    // Errors: history_gone where events expired since then.
    Status run(std::size_t of) {
        Status good = Done{};
        TRY(client_.each(kEvents, {}, {.sort = Bson().number("userId", 1).number("offset", 1)},
                         [&](BsonView document) {
                             good = add(document);
                             if (to_.count(kEvents) % kToldEach == 0)
                                 progress_(to_.count(kEvents), of);
                             return good.has_value();
                         }));
        TRY(std::move(good));
        return end_user();
    }

    std::size_t users() const noexcept { return users_; }
    std::size_t events() const noexcept { return events_; }

  private:
    Status add(BsonView document) {
        const std::string user(document.text("userId").value_or(""));
        const std::int64_t number = document.number("offset").value_or(0);
        if (number <= 0 || !document.text("text")) return to_.add(kEvents, document);
        if (!walk_ || user_ != user) {
            TRY(end_user());
            user_ = user;
            walk_.emplace(user);
        }
        const auto offset = static_cast<Offset>(number);
        if (!walk_->empty() && offset < walk_->next()) return Done{};  // was read already
        // It passed by while the one before it was still being written: that is there now.
        if (!walk_->empty() && offset > walk_->next()) TRY(fill(offset));
        return put(document);
    }

    Status put(BsonView document) {
        TRY(walk_->add(document));
        events_ += 1;
        return to_.add(kEvents, document);
    }

    Status fill(Offset before) {
        const Bson range =
            Bson().number("$gte", signed_bits(walk_->next())).number("$lt", signed_bits(before));
        ASSIGN_OR_RETURN(const auto between,
                         client_.find(kEvents, Bson().text("userId", user_).sub("offset", range),
                                      {.sort = Bson().number("offset", 1)}));
        for (const Bson& document : between) {
            if (document.view().number("offset") != signed_bits(walk_->next())) break;
            TRY(put(document.view()));
        }
        if (walk_->next() == before) return Done{};
        return fail(Errc::storage_damaged, "user " + user_ + ": event " +
                                               std::to_string(walk_->next()) +
                                               " is missing, and later ones are there");
    }

    Status end_user() {
        if (!walk_) return Done{};
        TRY(walk_->finish());
        users_ += 1;
        const auto projected = projected_.find(user_);
        if (projected == projected_.end() || walk_->first() <= projected->second + 1) return Done{};
        return fail(Errc::history_gone, "user " + user_ + ": events expired while it was read");
    }

    mongo::Client& client_;
    DumpWriter& to_;
    const Progress& progress_;
    std::map<std::string, Offset> projected_;
    std::string user_;
    std::optional<LogWalk> walk_;
    std::size_t users_ = 0;
    std::size_t events_ = 0;
};

// As a server would show them.
Bson described_indexes(std::string_view collection) {
    Bson list;
    std::size_t count = 0;
    const auto add = [&](BsonView index) {
        Bson one;
        one.small("v", 2);
        bson_concat(one.get(), index.get());
        list.sub(std::to_string(count++), one);
    };
    add(Bson().sub("key", Bson().small("_id", 1)).text("name", "_id_").view());
    mongo::index_list(collection)
        .view()
        .members([&](std::string_view, const mongo::BsonValue& index) { add(BsonView(index)); });
    return list;
}

Status describe_live(mongo::Client& client, DumpWriter& to) {
    std::map<std::string, std::string> ids;
    ASSIGN_OR_RETURN(const Bson all, client.run(Bson().small("listCollections", 1)));
    all.view().sub("cursor.firstBatch").members([&](std::string_view, const mongo::BsonValue& one) {
        const BsonView about(one);
        std::string id;
        if (const auto uuid = about.binary("info.uuid"))
            for (const std::uint8_t byte : *uuid)
                id.append({"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]});
        ids[std::string(about.text("name").value_or(""))] = id;
    });
    for (const std::string_view name : kCollections) {
        Bson indexes;
        std::size_t count = 0;
        const auto list = client.run(Bson().text("listIndexes", name));
        if (!list && list.error().code != Errc::internal) return list.error();
        if (list)  // or there is no such collection
            list->view()
                .sub("cursor.firstBatch")
                .members([&](std::string_view, const mongo::BsonValue& one) {
                    indexes.value(std::to_string(count++), one);
                });
        TRY(to.describe(name, indexes, ids[std::string(name)]));
    }
    return Done{};
}

Result<BackupReport> try_backup(mongo::Client& client, const std::string& folder,
                                const Progress& progress) {
    ASSIGN_OR_RETURN(const auto to, DumpWriter::begin(folder, client.database()));
    EventsBackup events(client, *to, progress);
    std::map<std::string, std::int64_t> forgotten;
    for (const std::string_view name : kCollections) {
        if (name == kEvents) break;
        Status good = Done{};
        TRY(client.each(name, {}, {}, [&](BsonView document) {
            good = to->add(name, document);
            if (name == kHeads) {
                events.saw_head(document);
                if (const auto version = document.number("forgotten"))
                    forgotten[std::string(document.text("_id").value_or(""))] = *version;
            }
            return good.has_value();
        }));
        TRY(std::move(good));
    }
    // Deleted contexts that were forgotten since the heads were read are in neither.
    bool moved = false;
    TRY(client.each(kHeads, Bson().sub("forgotten", Bson().flag("$exists", true)), {},
                    [&](BsonView head) {
                        const auto known = forgotten[std::string(head.text("_id").value_or(""))];
                        moved = moved || known != head.number("forgotten");
                        return true;
                    }));
    if (moved) return fail(Errc::history_gone, "deleted contexts went while they were read");
    ASSIGN_OR_RETURN(const Bson counted, client.run(Bson().text("count", kEvents)));
    TRY(events.run(static_cast<std::size_t>(counted.view().number("n").value_or(0))));
    TRY(describe_live(client, *to));
    const BackupReport report = report_of(*to, events.users(), events.events());
    TRY(to->finish());
    return report;
}

}  // namespace

Result<BackupReport> backup_memory(sqlite::MemoryReader& from, const std::string& folder,
                                   const std::string& database, Random& random,
                                   const Progress& progress) {
    ASSIGN_OR_RETURN(const auto to, DumpWriter::begin(folder, database));
    ASSIGN_OR_RETURN(const std::uint64_t seed, from.epoch_seed());
    std::array<std::uint8_t, 32> secret{};
    random.fill(secret);
    TRY(to->add(kMeta, Bson()
                           .text("_id", "store")
                           .number("form", 1)
                           .number("seed", signed_bits(seed))
                           .binary("secret", secret)
                           .view()));
    ASSIGN_OR_RETURN(const std::vector<std::string> users, from.users());
    std::size_t events = 0;
    for (std::size_t i = 0; i < users.size(); ++i) {
        progress(i, users.size());
        ASSIGN_OR_RETURN(const std::size_t count, UserBackup(from, *to, users[i]).run());
        events += count;
    }
    for (const std::string_view name : kCollections) {
        std::string id = random.uuid4();
        std::erase(id, '-');
        TRY(to->describe(name, described_indexes(name), id));
    }
    const BackupReport report = report_of(*to, users.size(), events);
    TRY(to->finish());
    return report;
}

Result<BackupReport> backup_database(mongo::Client& client, const std::string& folder,
                                     const Progress& progress) {
    constexpr int kTries = 5;
    for (int tries = 1;; ++tries) {
        Result<BackupReport> report = try_backup(client, folder, progress);
        if (report || report.error().code != Errc::history_gone || tries == kTries) return report;
    }
}

}  // namespace dyad::dump

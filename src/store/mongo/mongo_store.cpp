#include "store/mongo/mongo_store.hpp"

#include "store/mongo/archive_reads.hpp"
#include "store/mongo/retention.hpp"
#include "store/mongo/state_documents.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace dyad::mongo {
namespace {

constexpr std::int64_t kTransitionsMax = 256;  // of a user, at one look
constexpr std::size_t kHeadsAtOnce = 64;       // users, a command for each

}  // namespace

MongoStore::MongoStore(std::shared_ptr<Database> database, driver::Caller::Post post)
    : database_(std::move(database)), cell_(driver::Caller::make(std::move(post))) {}

MongoStore::~MongoStore() {
    cell_->close();
}

template <class T, class Question>
void MongoStore::ask(Callback<T> done, Question question) {
    database_->run([database = database_.get(), cell = cell_, done = std::move(done),
                    question = std::move(question)](const Result<Client*>& client) mutable {
        Result<T> result = client ? Result<T>(question(**client)) : client.error();
        if (!result) database->note(result.error());
        driver::answer(cell, std::move(done), std::move(result));
    });
}

void MongoStore::append(AppendRequest request, std::function<void(AppendResult)> done) {
    database_->append({.request = std::move(request), .caller = cell_, .done = std::move(done)});
}

void MongoStore::load(const std::string& user_id, Callback<LoadedLog> done) {
    ask(std::move(done), [user_id, &shared = database_->shared()](Client& client) {
        return UserLogs(client, shared).load(user_id);
    });
}

void MongoStore::read(const std::string& user_id, Offset after, std::size_t bytes_max,
                      Callback<LogSlice> done) {
    ask(std::move(done),
        [user_id, after, bytes_max, &shared = database_->shared()](Client& client) {
            return UserLogs(client, shared).read(user_id, after, bytes_max);
        });
}

void MongoStore::find(const std::string& user_id, OperationId operation,
                      Callback<std::optional<Offset>> done) {
    ask(std::move(done),
        [user_id, operation = std::move(operation), &shared = database_->shared()](Client& client) {
            return UserLogs(client, shared).find(user_id, operation);
        });
}

void MongoStore::heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) {
    heads_behind(std::move(user_ids), {}, std::move(done));
}

// In pieces: whatever else waits for a connection comes in between.
void MongoStore::heads_behind(std::vector<std::string> user_ids, std::vector<Position> positions,
                              Callback<std::vector<Position>> done) {
    const auto rest = std::span(user_ids).subspan(positions.size());
    const auto next = rest.first(std::min(rest.size(), kHeadsAtOnce));
    ask<std::vector<Position>>(
        [this, user_ids, positions = std::move(positions),
         done = std::move(done)](Result<std::vector<Position>> found) mutable {
            if (!found) return done(std::move(found));
            positions.insert(positions.end(), found->begin(), found->end());
            if (positions.size() == user_ids.size()) return done(std::move(positions));
            heads_behind(std::move(user_ids), std::move(positions), std::move(done));
        },
        [some = std::vector(next.begin(), next.end()), &shared = database_->shared()](
            Client& client) { return UserLogs(client, shared).heads(some); });
}

// ---- what is derived, brought up first ------------------------------------------------------

template <class T, class Question>
void MongoStore::ask_derived(const std::string& user_id, Callback<T> done, Question question) {
    ask(std::move(done),
        [user_id, question = std::move(question),
         &shared = database_->shared()](Client& client) -> Result<T> {
            const std::uint64_t era = shared.heads.era();
            UserLogs logs(client, shared);
            TRY(bring_up(client, logs, user_id));
            Result<T> answer = question(client);
            if (answer) TRY(shared.prove(client, era));
            return answer;
        });
}

void MongoStore::history(const std::string& user_id, const std::string& key, PageRequest page,
                         Callback<std::vector<HistoryItem>> done) {
    ask_derived(user_id, std::move(done), [user_id, key, page](Client& client) {
        return ArchiveReads(client).history(user_id, key, page);
    });
}

void MongoStore::read_version(const std::string& user_id, const std::string& key, Version version,
                              Callback<ContextPtr> done) {
    ask_derived(user_id, std::move(done), [user_id, key, version](Client& client) {
        return ArchiveReads(client).version(user_id, key, version);
    });
}

void MongoStore::transitions(const std::string& user_id, std::optional<std::string> instance_id,
                             PageRequest page, Callback<std::vector<Transition>> done) {
    ask_derived(user_id, std::move(done),
                [user_id, instance_id = std::move(instance_id), page](Client& client) {
                    return ArchiveReads(client).transitions(user_id, instance_id, page);
                });
}

void MongoStore::responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                           Callback<std::vector<ResponseRecord>> done) {
    ask_derived(user_id, std::move(done),
                [user_id, filter = std::move(filter), page](Client& client) {
                    return ArchiveReads(client).responses(user_id, filter, page);
                });
}

void MongoStore::search(const std::string& user_id, const std::string& query, std::size_t limit,
                        Callback<std::vector<SearchHit>> done) {
    ask_derived(user_id, std::move(done), [user_id, query, limit](Client& client) {
        return ArchiveReads(client).search(user_id, query, limit);
    });
}

void MongoStore::users_with_expired(std::int64_t now_ms, std::size_t limit,
                                    Callback<std::vector<std::string>> done) {
    ask(std::move(done),
        [now_ms, limit,
         database = database_.get()](Client& client) -> Result<std::vector<std::string>> {
            TRY(database->bring_up_all(client));
            ASSIGN_OR_RETURN(auto users, ArchiveReads(client).users_with_expired(now_ms, limit));
            if (users.empty()) return users;
            // A server that died may have left undone what keeps their contexts, or ended them.
            UserLogs logs(client, database->shared());
            for (const std::string& user_id : users)
                TRY(bring_up(client, logs, user_id));
            return ArchiveReads(client).users_with_expired(now_ms, limit);
        });
}

void MongoStore::expire_events(std::int64_t before_ms, Callback<std::size_t> done) {
    ask(std::move(done),
        [before_ms, database = database_.get()](Client& client) -> Result<std::size_t> {
            TRY(database->bring_up_all(client));
            ASSIGN_OR_RETURN(const auto users, users_due(client, before_ms));
            UserLogs logs(client, database->shared());
            std::size_t dropped = 0;
            for (const std::string& user_id : users) {
                ASSIGN_OR_RETURN(const std::size_t of_one,
                                 expire_user(client, logs, user_id, before_ms));
                dropped += of_one;
            }
            return dropped;
        });
}

void MongoStore::load_clock(Callback<ClockMark> done) {
    ask(std::move(done), [database = database_.get()](Client& client) -> Result<ClockMark> {
        if (const auto saved = database->saved_clock()) return *saved;
        ASSIGN_OR_RETURN(const auto found, client.find_one(kMeta, Bson().text("_id", "clock")));
        if (found) return decode_clock_mark(found->view().text("mark").value_or(""));
        // The newest event's date, as far as it is projected.
        ASSIGN_OR_RETURN(const auto newest,
                         client.find_one(kHeads, Bson(),
                                         {.sort = Bson().number("projected.timestamp", -1),
                                          .fields = Bson().number("projected.timestamp", 1)}));
        ClockMark mark;
        if (newest) mark.proven_ms = newest->view().date("projected.timestamp").value_or(0);
        return mark;
    });
}

void MongoStore::project(ProjectRequest request, Callback<std::vector<ForeignDocument>> done) {
    ask(std::move(done), [request = std::move(request), &known = database_->known_documents()](
                             Client& client) { return mongo::project(client, known, request); });
}

void MongoStore::adopted(const std::string&, std::string transition_id, Offset offset,
                         Callback<Done> done) {
    ask(std::move(done), [id = std::move(transition_id), offset](Client& client) {
        return mark_adopted(client, id, offset);
    });
}

void MongoStore::look(std::vector<std::string> user_ids,
                      Callback<std::vector<DocumentsLook>> done) {
    using Looks = std::vector<DocumentsLook>;
    ask(std::move(done),
        [user_ids = std::move(user_ids),
         &known = database_->known_documents()](Client& client) -> Result<Looks> {
            ASSIGN_OR_RETURN(Looks looks, mongo::look(client, known, user_ids));
            for (DocumentsLook& look : looks) {
                ASSIGN_OR_RETURN(look.transitions,
                                 foreign_transitions(client, look.user_id, kTransitionsMax));
            }
            return looks;
        });
}

}  // namespace dyad::mongo

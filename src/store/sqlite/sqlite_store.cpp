#include "store/sqlite/sqlite_store.hpp"

#include <atomic>
#include <utility>

namespace dyad::sqlite {
namespace {

Error refused() {
    return fail(Errc::unavailable, "the store takes no requests now");
}

template <class T>
void answer(const std::shared_ptr<Cell>& cell, std::function<void(Result<T>)> done,
            Result<T> result) {
    auto held = std::make_shared<Result<T>>(std::move(result));
    cell->post([cell, done = std::move(done), held] {
        if (cell->is_open()) done(std::move(*held));
    });
}

}  // namespace

SqliteStore::SqliteStore(std::shared_ptr<Database> database, Cell::Post post)
    : database_(std::move(database)), cell_(std::make_shared<Cell>(std::move(post))) {
    database_->count_cell(1);
}

SqliteStore::~SqliteStore() {
    cell_->close();
    database_->count_cell(-1);
}

template <class T, class Ask>
void SqliteStore::ask(Callback<T> done, Ask question) {
    database_->read([database = database_.get(), cell = cell_, done = std::move(done),
                     question = std::move(question)](Reads* store) mutable {
        Result<T> result = store == nullptr ? refused() : question(*store);
        if (!result && store != nullptr) database->note(result.error());
        answer<T>(cell, std::move(done), std::move(result));
    });
}

void SqliteStore::append(AppendRequest request, std::function<void(AppendResult)> done) {
    database_->append({.request = std::move(request), .cell = cell_, .done = std::move(done)});
}

void SqliteStore::load(const std::string& user_id, Callback<LoadedLog> done) {
    ask<LoadedLog>(std::move(done), [user_id](Reads& store) { return store.load(user_id); });
}

void SqliteStore::read(const std::string& user_id, Offset after, std::size_t bytes_max,
                       Callback<LogSlice> done) {
    ask<LogSlice>(std::move(done), [user_id, after, bytes_max](Reads& store) {
        return store.log(user_id, after, bytes_max);
    });
}

void SqliteStore::find(const std::string& user_id, OperationId operation,
                       Callback<std::optional<Offset>> done) {
    ask<std::optional<Offset>>(std::move(done),
                               [user_id, operation = std::move(operation)](Reads& store) {
                                   return store.find(user_id, operation);
                               });
}

void SqliteStore::heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) {
    ask<std::vector<Position>>(std::move(done), [user_ids = std::move(user_ids)](Reads& store) {
        return store.heads(user_ids);
    });
}

void SqliteStore::history(const std::string& user_id, const std::string& key, PageRequest page,
                          Callback<std::vector<HistoryItem>> done) {
    ask<std::vector<HistoryItem>>(std::move(done), [user_id, key, page](Reads& store) {
        return store.history(user_id, key, page);
    });
}

void SqliteStore::read_version(const std::string& user_id, const std::string& key, Version version,
                               Callback<ContextPtr> done) {
    ask<ContextPtr>(std::move(done), [user_id, key, version](Reads& store) {
        return store.version(user_id, key, version);
    });
}

void SqliteStore::transitions(const std::string& user_id, std::optional<std::string> instance_id,
                              PageRequest page, Callback<std::vector<Transition>> done) {
    ask<std::vector<Transition>>(
        std::move(done), [user_id, instance_id = std::move(instance_id), page](Reads& store) {
            return store.transitions(user_id, instance_id, page);
        });
}

void SqliteStore::responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                            Callback<std::vector<ResponseRecord>> done) {
    ask<std::vector<ResponseRecord>>(std::move(done),
                                     [user_id, filter = std::move(filter), page](Reads& store) {
                                         return store.responses(user_id, filter, page);
                                     });
}

void SqliteStore::search(const std::string& user_id, const std::string& query, std::size_t limit,
                         Callback<std::vector<SearchHit>> done) {
    ask<std::vector<SearchHit>>(std::move(done), [user_id, query, limit](Reads& store) {
        return store.search(user_id, query, limit);
    });
}

void SqliteStore::expire_events(std::int64_t before_ms, Callback<std::size_t> done) {
    database_->expire(before_ms,
                      [cell = cell_, done = std::move(done)](Result<std::size_t> dropped) {
                          answer<std::size_t>(cell, done, std::move(dropped));
                      });
}

void SqliteStore::users_with_expired(std::int64_t now_ms, std::size_t limit,
                                     Callback<std::vector<std::string>> done) {
    ask<std::vector<std::string>>(std::move(done), [now_ms, limit](Reads& store) {
        return store.users_with_expired(now_ms, limit);
    });
}

void SqliteStore::load_clock(Callback<ClockMark> done) {
    ask<ClockMark>(std::move(done), [](Reads& store) { return store.load_clock(); });
}

void SqliteStore::save_clock(const ClockMark& mark) {
    database_->read([mark](Reads* store) {
        if (store != nullptr) store->save_clock(mark);
    });
}

void SqliteStore::check(std::function<bool(Result<CheckReport>)> report) {
    // What the cell said last, for the writer to read.
    auto wanted = std::make_shared<std::atomic<bool>>(true);
    auto shared = std::make_shared<std::function<bool(Result<CheckReport>)>>(std::move(report));
    database_->check([cell = cell_, wanted, shared](Result<CheckReport> now) {
        cell->post([cell, wanted, shared, held = std::move(now)] {
            if (!cell->is_open() || (*wanted && !(*shared)(held))) *wanted = false;
        });
        return wanted->load();
    });
}

StoreHealth SqliteStore::health() const {
    return database_->health();
}

}  // namespace dyad::sqlite

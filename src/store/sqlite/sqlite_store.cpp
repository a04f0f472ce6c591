#include "store/sqlite/sqlite_store.hpp"

#include <atomic>
#include <utility>

namespace dyad::sqlite {

SqliteStore::SqliteStore(std::shared_ptr<Database> database, driver::Caller::Post post)
    : database_(std::move(database)), cell_(driver::Caller::make(std::move(post))) {
    database_->count_cell(1);
}

SqliteStore::~SqliteStore() {
    cell_->close();
    database_->count_cell(-1);
}

template <class T, class... Params, class... Args>
void SqliteStore::ask(Callback<T> done, Result<T> (Reads::*question)(Params...), Args... args) {
    database_->read([database = database_.get(), cell = cell_, done = std::move(done), question,
                     ... args = std::move(args)](Result<Reads*> store) mutable {
        Result<T> result = store ? ((*store)->*question)(args...) : store.error();
        if (!result) database->note(result.error());
        answer(cell, std::move(done), std::move(result));
    });
}

void SqliteStore::append(AppendRequest request, std::function<void(AppendResult)> done) {
    turn_.push_back({.request = std::move(request), .caller = cell_, .done = std::move(done)});
}

void SqliteStore::flush() {
    if (!turn_.empty()) database_->append(std::exchange(turn_, {}));
}

void SqliteStore::load(const std::string& user_id, Callback<LoadedLog> done) {
    ask(std::move(done), &Reads::load, user_id);
}

void SqliteStore::read(const std::string& user_id, Offset after, std::size_t bytes_max,
                       Callback<LogSlice> done) {
    ask(std::move(done), &Reads::log, user_id, after, bytes_max);
}

void SqliteStore::find(const std::string& user_id, OperationId operation,
                       Callback<std::optional<Offset>> done) {
    ask(std::move(done), &Reads::find, user_id, std::move(operation));
}

void SqliteStore::heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) {
    ask(std::move(done), &Reads::heads, std::move(user_ids));
}

void SqliteStore::history(const std::string& user_id, const std::string& key, PageRequest page,
                          Callback<std::vector<HistoryItem>> done) {
    ask(std::move(done), &Reads::history, user_id, key, page);
}

void SqliteStore::read_version(const std::string& user_id, const std::string& key, Version version,
                               Callback<ContextPtr> done) {
    ask(std::move(done), &Reads::version, user_id, key, version);
}

void SqliteStore::transitions(const std::string& user_id, std::optional<std::string> instance_id,
                              PageRequest page, Callback<std::vector<Transition>> done) {
    ask(std::move(done), &Reads::transitions, user_id, std::move(instance_id), page);
}

void SqliteStore::responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                            Callback<std::vector<ResponseRecord>> done) {
    ask(std::move(done), &Reads::responses, user_id, std::move(filter), page);
}

void SqliteStore::search(const std::string& user_id, const std::string& query, std::size_t limit,
                         Callback<std::vector<SearchHit>> done) {
    ask(std::move(done), &Reads::search, user_id, query, limit);
}

void SqliteStore::expire_events(std::int64_t before_ms, Callback<std::size_t> done) {
    database_->expire(before_ms,
                      [cell = cell_, done = std::move(done)](Result<std::size_t> dropped) {
                          answer(cell, done, std::move(dropped));
                      });
}

void SqliteStore::users_with_expired(std::int64_t now_ms, std::size_t limit,
                                     Callback<std::vector<std::string>> done) {
    ask(std::move(done), &Reads::users_with_expired, now_ms, limit);
}

void SqliteStore::load_clock(Callback<ClockMark> done) {
    ask(std::move(done), &Reads::load_clock);
}

void SqliteStore::save_clock(const ClockMark& mark) {
    database_->read([mark](Result<Reads*> store) {
        if (store) (*store)->save_clock(mark);
    });
}

void SqliteStore::check(std::function<bool(Result<CheckReport>)> report) {
    look(std::move(report), Database::Look::check);
}

void SqliteStore::copy(std::function<bool(Result<CheckReport>)> report) {
    look(std::move(report), Database::Look::copy);
}

void SqliteStore::look(std::function<bool(Result<CheckReport>)> report, Database::Look look) {
    // What the cell said last, for the writer to read.
    auto wanted = std::make_shared<std::atomic<bool>>(true);
    auto shared = std::make_shared<std::function<bool(Result<CheckReport>)>>(std::move(report));
    const auto pass_on = [cell = cell_, wanted, shared](Result<CheckReport> now) {
        const bool open = cell->post([wanted, shared, held = std::move(now)] {
            if (*wanted && !(*shared)(held)) *wanted = false;
        });
        return open && *wanted;
    };
    database_->check(pass_on, look);
}

StoreHealth SqliteStore::health() const {
    return database_->health();
}

}  // namespace dyad::sqlite

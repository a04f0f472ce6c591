#include "support/one_thread_store.hpp"

namespace dyad::test {

Result<std::unique_ptr<OneThreadStore>> OneThreadStore::open(sqlite::StoreOptions options,
                                                             Random& random) {
    Result<sqlite::OpenedStore> store = sqlite::open_store(std::move(options), random);
    if (!store) return store.error();
    return std::unique_ptr<OneThreadStore>(new OneThreadStore(*std::move(store)));
}

void OneThreadStore::commit(std::span<const AppendRequest> requests,
                            std::vector<AppendResult>& results) {
    const std::size_t base = results.size();
    results.resize(base + requests.size());
    commit(requests,
           [&](std::size_t i, const AppendResult& result) { results[base + i] = result; });
}

void OneThreadStore::commit(std::span<const AppendRequest> requests, const Told& told) {
    for (std::size_t i = 0; i < requests.size(); ++i)
        store_.commits->submit(
            {.request = requests[i], .done = [&told, i](AppendResult result) { told(i, result); }});
    while (!store_.commits->is_idle()) {
        CHECK(store_.commits->can_commit());
        sqlite::CommitLog::Round round = store_.commits->commit();
        if (!round.committed.empty())
            store_.tables->take(std::move(round.committed), round.sequence);
        answer(round);
        give(std::move(round.answered));
        give(store_.commits->take_answered());
    }
}

void OneThreadStore::give(std::vector<sqlite::PendingAppend> answered) {
    for (sqlite::PendingAppend& append : answered)
        append.done(std::move(append.result));
}

void OneThreadStore::answer(const sqlite::CommitLog::Round& round) {
    for (const sqlite::CommitLog::Question& question : round.questions) {
        using Kind = sqlite::CommitLog::Question::Kind;
        if (question.kind == Kind::head)
            store_.commits->learn(question.user_id, store_.tables->head(question.user_id));
        else if (question.kind == Kind::operations)
            store_.commits->filter(question.user_id, question.serial, operations(question.user_id));
        else
            store_.commits->settle(
                question.user_id,
                store_.tables->duplicates(question.user_id, *question.batch, question.events));
    }
    // Amid an apply there is none yet.
    if (round.wants_room)
        store_.commits->room(applying_ ? Status(fail(Errc::storage_full, "the journal is full"))
                                       : apply());
}

Result<sqlite::KeyFilter> OneThreadStore::operations(const std::string& user) {
    sqlite::Tables::OperationsWalk walk;
    while (!walk.finished) {
        const Status done = store_.tables->walk_operations(user, walk);
        if (!done) return done.error();
    }
    return std::move(walk.operations);
}

Status OneThreadStore::apply(const std::function<void()>& between) {
    applying_ = true;
    const Status done = store_.tables->apply(between);
    applying_ = false;
    store_.commits->set_applied(store_.tables->applied());
    return done;
}

Status OneThreadStore::expire_some(sqlite::Tables::Expiry& walk) {
    using Step = sqlite::Tables::Expiry::Step;
    Status done = walk.step == Step::begin ? apply() : Done{};
    if (done) done = store_.tables->expire_some(walk);
    if (!done || walk.step != Step::journal) return done;
    done = store_.commits->turn_over();
    if (done) done = apply();
    for (bool more = true; done && more;) {
        const Result<bool> erased = store_.commits->erase_some();
        done = erased ? Status(Done{}) : Status(erased.error());
        more = erased && *erased;
    }
    if (done) walk.step = Step::end;
    return done;
}

sqlite::StoreCheck OneThreadStore::begin_check(bool thorough) {
    return {
        store_.tables->connection(),
        [this](sqlite::Journal::Cursor& at) { return store_.commits->journal().check_record(at); },
        thorough};
}

}  // namespace dyad::test

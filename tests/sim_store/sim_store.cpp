#include "sim_store/sim_store.hpp"

#include "sim_store/sim_queries.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace dyad::sim {
namespace {

bool ends_a_claim(const AppendRequest& request) {
    return std::any_of(request.changes.begin(), request.changes.end(), [](const Change& change) {
        const auto* claim = std::get_if<ClaimChange>(&change);
        return claim != nullptr && claim->action == ClaimAction::expired;
    });
}

}  // namespace

struct SimStore::Link : std::enable_shared_from_this<SimStore::Link> {
    struct Append {
        AppendRequest request;
        std::function<void(AppendResult)> done;
        std::int64_t sent_us = 0;
        std::uint64_t replacements = 0;  // of the database, when it was sent
        std::uint64_t crashes = 0;       // of the database, when it arrived there
        bool answered = false;
        bool step_by_step = false;
        bool answer_lost = false;
        bool repeated = false;
        Offset last = 0;           // to insert
        std::size_t inserted = 0;  // so many
    };
    using AppendPtr = std::shared_ptr<Append>;

    Link(EventQueue& q, SimDatabase& d, std::uint64_t seed, std::shared_ptr<const Availability> a,
         bool s)
        : queue(q),
          database(d),
          node_seed(seed),
          random(seed),
          availability(std::move(a)),
          shared(s) {}

    EventQueue& queue;
    SimDatabase& database;
    const std::uint64_t node_seed;
    SeededRandom random;
    std::shared_ptr<const Availability> availability;
    StoreFaults faults;
    bool shared;
    bool cut = false;
    bool open = true;  // somebody waits for answers
    std::int64_t clock_offset_ms = 0;
    std::function<void(const AppendRequest&)> on_append;
    std::map<std::tuple<std::string, Epoch, Offset>, Position> seen_heads;  // compares_lengths

    bool reachable() const { return availability->up && !cut; }
    bool faulty(std::int64_t permille) { return !availability->healed && random.chance(permille); }
    std::int64_t way_us() { return random.between(faults.delay_min_us, faults.delay_max_us); }
    void later(std::int64_t delay_us, std::function<void()> action) {
        queue.after(delay_us, [self = shared_from_this(), run = std::move(action)] { run(); });
    }

    void send(const AppendPtr& call);
    void arrive(const AppendPtr& call);
    void insert_from(const AppendPtr& call, Offset offset);
    void inserted(const AppendPtr& call);
    void journal_soon();
    void answer(const AppendPtr& call, AppendOutcome outcome, std::int64_t delay_us);
    std::vector<Duplicate> duplicates_of(const Append& call);
    void answer_unknown(const AppendPtr& call);

    template <class T, class Ask>
    void query(Callback<T> done, Ask ask);
};

void SimStore::Link::answer(const AppendPtr& call, AppendOutcome outcome, std::int64_t delay_us) {
    if (std::exchange(call->answered, true)) return;
    const SimDatabase::Flaws& flaws = database.flaws;
    if ((outcome == AppendOutcome::unknown && flaws.commits_unknown) ||
        (outcome == AppendOutcome::conflict && flaws.commits_losers))
        outcome = AppendOutcome::committed;
    if ((outcome == AppendOutcome::unknown && flaws.retries_blindly) ||
        (outcome == AppendOutcome::conflict && flaws.moves_losers))
        later(delay_us, [this, call] { database.write_at_end(call->request); });
    AppendResult result{.outcome = outcome};
    if (outcome == AppendOutcome::duplicate) {
        result.duplicates = duplicates_of(*call);
        result.is_untouched = !call->repeated && call->inserted == 0;
    }
    if (outcome == AppendOutcome::refused)
        result.error = fail(Errc::storage_unavailable, "the simulated store refused it");
    later(delay_us, [this, call, result] {
        if (open) call->done(result);
    });
}

// All of them, or, as a store that stops at the first one, that one.
std::vector<Duplicate> SimStore::Link::duplicates_of(const Append& call) {
    std::vector<Duplicate> found;
    const EventBatch& batch = *call.request.batch;
    const bool all = random.chance(500);
    for (std::size_t i = call.inserted; i < batch.size() && (all || found.empty()); ++i)
        if (const std::optional<Offset> at =
                database.offset_of(call.request.user_id, batch.entries[i].operation_key))
            found.push_back({.event = i, .offset = *at});
    if (database.flaws.misplaces_duplicates)
        for (Duplicate& duplicate : found)
            if (duplicate.offset > 1) duplicate.offset -= 1;
    return found;
}

void SimStore::Link::answer_unknown(const AppendPtr& call) {
    const std::int64_t waited = queue.now_us() - call->sent_us;
    answer(call, AppendOutcome::unknown, std::max<std::int64_t>(0, faults.time_out_us - waited));
}

void SimStore::Link::send(const AppendPtr& call) {
    if (!reachable()) {
        if (random.chance(500)) return answer(call, AppendOutcome::refused, way_us());
        return answer_unknown(call);
    }
    if (faulty(faults.lose_request)) return answer_unknown(call);
    std::int64_t delay_us = way_us();
    if (faulty(faults.late)) {
        answer_unknown(call);
        delay_us = faults.time_out_us + random.between(0, faults.late_max_us);
    }
    later(delay_us, [this, call] { arrive(call); });
}

void SimStore::Link::arrive(const AppendPtr& call) {
    if (!shared && !open) return;  // an embedded store goes with its process
    if (!reachable() || availability->replacements != call->replacements)
        return answer_unknown(call);
    if (faulty(faults.refuse)) return answer(call, AppendOutcome::refused, way_us());
    const EventBatch& batch = *call->request.batch;
    call->crashes = availability->crashes;
    call->step_by_step = faulty(faults.step_by_step);
    call->answer_lost = faulty(faults.lose_answer);
    call->repeated = faulty(faults.repeat);
    call->last = batch.last();
    if (batch.size() > 1 && faulty(faults.partial)) {
        call->last = batch.first + static_cast<Offset>(random.between(
                                       0, static_cast<std::int64_t>(batch.size()) - 2));
        call->answer_lost = true;
    }
    insert_from(call, batch.first);
}

void SimStore::Link::insert_from(const AppendPtr& call, Offset offset) {
    const AppendRequest& request = call->request;
    for (; offset <= call->last; ++offset) {
        // What a crash cut off is not continued by the connection it broke.
        if (!availability->up || availability->crashes != call->crashes)
            return answer_unknown(call);
        const AppendOutcome outcome = database.insert(
            request.user_id, request.batch, offset, request.changes[offset - request.batch->first]);
        if (outcome != AppendOutcome::committed) return answer(call, outcome, way_us());
        call->inserted += 1;
        journal_soon();
        if (call->step_by_step && offset < call->last) {
            later(random.between(0, 20'000),
                  [this, call, offset] { insert_from(call, offset + 1); });
            return;
        }
    }
    inserted(call);
}

void SimStore::Link::journal_soon() {
    if (faults.journal_max_us == 0 || availability->healed) return database.journal();
    later(random.between(0, faults.journal_max_us), [this] {
        if (availability->up) database.journal();
    });
}

void SimStore::Link::inserted(const AppendPtr& call) {
    if (call->answer_lost) return answer_unknown(call);
    if (call->repeated) {  // which of the indexes refused the second one is the database's choice
        call->inserted = 0;
        const bool duplicate = !database.flaws.no_operation_index && random.chance(500);
        return answer(call, duplicate ? AppendOutcome::duplicate : AppendOutcome::conflict,
                      way_us());
    }
    const auto report = [this, call] {
        if (!availability->up || availability->crashes != call->crashes)
            return answer_unknown(call);
        if (!database.flaws.commits_unjournaled) database.journal();
        const AppendRequest& request = call->request;
        const bool durable = database.durable(request.user_id, request.batch->last(),
                                              request.batch->entries.back().hash);
        if (!durable || cut) return answer_unknown(call);
        answer(call, AppendOutcome::committed, way_us());
    };
    if (database.flaws.commits_unjournaled || faults.journal_max_us == 0) return report();
    later(random.between(0, faults.journal_max_us), report);
}

template <class T, class Ask>
void SimStore::Link::query(Callback<T> done, Ask ask) {
    const auto fail_after = [this](Callback<T> call, std::int64_t delay_us) {
        later(delay_us, [this, call = std::move(call)] {
            if (open) call(fail(Errc::storage_unavailable, "the simulated store does not answer"));
        });
    };
    if (!reachable() || faulty(faults.read_error))
        return fail_after(std::move(done), random.chance(500) ? way_us() : faults.time_out_us);
    later(way_us(), [this, fail_after, call = std::move(done), ask = std::move(ask)] {
        if (!reachable()) return fail_after(call, way_us());
        if (random.chance(500)) database.journal();
        for (auto& [user_id, record] : database.users())
            if (faults.journal_max_us == 0 || random.chance(300))
                database.project(record, record.events.size());
        later(way_us(), [this, call, result = Result<T>(ask(database))] {
            if (open) call(result);
        });
    });
}

SimStore::SimStore(EventQueue& queue, SimDatabase& database, std::uint64_t seed,
                   std::shared_ptr<const Availability> availability, bool shared)
    : link_(std::make_shared<Link>(
          queue, database, seed,
          availability ? std::move(availability) : std::make_shared<const Availability>(),
          shared)) {}

SimStore::~SimStore() {
    link_->open = false;
}

void SimStore::set_faults(const StoreFaults& faults) {
    link_->faults = faults;
}
void SimStore::on_append(std::function<void(const AppendRequest&)> sent) {
    link_->on_append = std::move(sent);
}
void SimStore::set_cut(bool cut) {
    link_->cut = cut;
}
bool SimStore::shared() const {
    return link_->shared;
}

void SimStore::append(AppendRequest request, std::function<void(AppendResult)> done) {
    CHECK(request.batch && !request.batch->empty());
    CHECK(request.changes.size() == request.batch->size());
    turn_.emplace_back(std::move(request), std::move(done));
    if (!link_->faults.waits_for_flush) flush();
}

void SimStore::flush() {
    for (auto& [request, done] : std::exchange(turn_, {}))
        send(std::move(request), std::move(done));
}

void SimStore::send(AppendRequest request, std::function<void(AppendResult)> done) {
    auto call = std::make_shared<Link::Append>();
    call->request = std::move(request);
    call->done = std::move(done);
    call->sent_us = link_->queue.now_us();
    call->replacements = link_->availability->replacements;
    if (link_->database.flaws.refuses_claim_ends && ends_a_claim(call->request))
        return link_->answer(call, AppendOutcome::refused, 1);
    if (link_->on_append) link_->on_append(call->request);
    if (link_->database.flaws.commits_on_send) link_->answer(call, AppendOutcome::committed, 1);
    link_->send(call);
}

void SimStore::load(const std::string& user_id, Callback<LoadedLog> done) {
    link_->query<LoadedLog>(std::move(done),
                            [user_id, seed = link_->node_seed](SimDatabase& database) {
                                return queries::load(database, user_id, seed);
                            });
}

void SimStore::read(const std::string& user_id, Offset after, std::size_t bytes_max,
                    Callback<LogSlice> done) {
    link_->query<LogSlice>(std::move(done), [=, seed = link_->node_seed](SimDatabase& database) {
        return queries::read(database, user_id, after, bytes_max, seed);
    });
}

void SimStore::find(const std::string& user_id, OperationId operation,
                    Callback<std::optional<Offset>> done) {
    link_->query<std::optional<Offset>>(
        std::move(done), [user_id, operation = std::move(operation)](SimDatabase& database) {
            return queries::find(database, user_id, operation);
        });
}

void SimStore::heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) {
    link_->query<std::vector<Position>>(
        std::move(done),
        [ids = std::move(user_ids),
         link = link_](SimDatabase& database) -> Result<std::vector<Position>> {
            if (database.flaws.fails_heads) return fail(Errc::storage_unavailable);
            std::vector<Position> heads;
            for (const std::string& id : ids) {
                const Position head = database.head(id, link->node_seed).position();
                const Position& seen =
                    link->seen_heads.try_emplace({id, head.epoch, head.offset}, head).first->second;
                heads.push_back(database.flaws.compares_lengths ? seen : head);
            }
            return heads;
        });
}

void SimStore::history(const std::string& user_id, const std::string& key, PageRequest page,
                       Callback<std::vector<HistoryItem>> done) {
    link_->query<std::vector<HistoryItem>>(std::move(done), [=](SimDatabase& database) {
        return queries::history(database, user_id, key, page);
    });
}

void SimStore::read_version(const std::string& user_id, const std::string& key, Version version,
                            Callback<ContextPtr> done) {
    link_->query<ContextPtr>(std::move(done), [=](SimDatabase& database) {
        return queries::read_version(database, user_id, key, version);
    });
}

void SimStore::transitions(const std::string& user_id, std::optional<std::string> instance_id,
                           PageRequest page, Callback<std::vector<Transition>> done) {
    link_->query<std::vector<Transition>>(std::move(done), [=](SimDatabase& database) {
        return queries::transitions(database, user_id, instance_id, page);
    });
}

void SimStore::responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                         Callback<std::vector<ResponseRecord>> done) {
    link_->query<std::vector<ResponseRecord>>(std::move(done), [=](SimDatabase& database) {
        return queries::responses(database, user_id, filter, page);
    });
}

void SimStore::search(const std::string& user_id, const std::string& query, std::size_t limit,
                      Callback<std::vector<SearchHit>> done) {
    link_->query<std::vector<SearchHit>>(std::move(done), [=](SimDatabase& database) {
        return queries::search(database, user_id, query, limit);
    });
}

void SimStore::expire_events(std::int64_t before_ms, Callback<std::size_t> done) {
    link_->query<std::size_t>(
        std::move(done), [before_ms](SimDatabase& database) { return database.expire(before_ms); });
}

void SimStore::users_with_expired(std::int64_t now_ms, std::size_t limit,
                                  Callback<std::vector<std::string>> done) {
    link_->query<std::vector<std::string>>(std::move(done), [=](SimDatabase& database) {
        return queries::users_with_expired(database, now_ms, limit);
    });
}

void SimStore::load_clock(Callback<ClockMark> done) {
    link_->query<ClockMark>(std::move(done), [](SimDatabase& database) {
        return database.flaws.forgets_clock ? ClockMark{} : database.clock;
    });
}

void SimStore::save_clock(const ClockMark& mark) {
    if (link_->reachable()) link_->database.clock = mark;
}

std::int64_t SimStore::clock_offset_ms() const {
    return link_->clock_offset_ms;
}

void SimStore::set_clock_offset(std::int64_t offset_ms) {
    link_->clock_offset_ms = offset_ms;
}

void SimStore::project(ProjectRequest request, Callback<std::vector<ForeignDocument>> done) {
    link_->query<std::vector<ForeignDocument>>(
        std::move(done), [request = std::move(request)](SimDatabase& database) {
            return database.documents.project(request);
        });
}

void SimStore::adopted(const std::string& user_id, std::string transition_id, Offset,
                       Callback<Done> done) {
    link_->query<Done>(std::move(done),
                       [user_id, id = std::move(transition_id)](SimDatabase& database) {
                           database.documents.adopted(user_id, id);
                           return Done{};
                       });
}

void SimStore::look(std::vector<std::string> user_ids, Callback<std::vector<DocumentsLook>> done) {
    link_->query<std::vector<DocumentsLook>>(std::move(done),
                                             [ids = std::move(user_ids)](SimDatabase& database) {
                                                 std::vector<DocumentsLook> looks;
                                                 for (const std::string& id : ids)
                                                     looks.push_back(database.documents.look(id));
                                                 return looks;
                                             });
}

StoreHealth SimStore::health() const {
    const bool reachable = link_->reachable();
    return {.kind = "simulated",
            .connected = reachable,
            .healthy = reachable,
            .latency_us = link_->faults.delay_max_us,
            .problem = reachable ? "" : "the simulated database cannot be reached"};
}

}  // namespace dyad::sim

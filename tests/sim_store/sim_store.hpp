// One node's handle on the simulated database: the store port over a network and a database that
// can fail in every way a seed can think of. Without faults it is a plain in-memory store.
//
// Lifetime: the queue and the database outlive it; calls that are under way when it is destroyed
// still reach the database, but are answered to nobody.
#pragma once

#include "sim_store/event_queue.hpp"
#include "sim_store/seeded_random.hpp"
#include "sim_store/sim_database.hpp"
#include "store/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dyad::sim {

// How often what goes wrong, in thousandths; and how long things take.
struct StoreFaults {
    std::int64_t refuse = 0;
    std::int64_t lose_request = 0;  // no answer, and not applied
    std::int64_t lose_answer = 0;   // no answer, though applied
    std::int64_t late = 0;          // no answer, and applied after that
    std::int64_t partial = 0;       // a prefix applied, then no answer
    std::int64_t repeat = 0;        // applied twice by the driver: the second one is answered
    std::int64_t step_by_step = 0;  // a batch is inserted one event at a time
    std::int64_t read_error = 0;
    std::int64_t delay_min_us = 0;  // each way
    std::int64_t delay_max_us = 0;
    std::int64_t journal_max_us = 0;  // from visible to durable
    std::int64_t time_out_us = 500'000;
    std::int64_t late_max_us = 3'000'000;
    bool waits_for_flush = false;  // appends, which is the store's right
};

// The database's machine, as the nodes find it; shared by them.
struct Availability {
    bool up = true;
    bool healed = false;  // no faults any more
    std::uint64_t crashes = 0;
    std::uint64_t replacements = 0;  // by a backup: nothing sent before one arrives after it
};

class SimStore final : public Store, public Documents {
  public:
    // Everything a call under way needs; it outlives the handle.
    struct Link;

    SimStore(EventQueue& queue, SimDatabase& database, std::uint64_t seed,
             std::shared_ptr<const Availability> availability = nullptr, bool shared = false);
    ~SimStore() override;

    void set_faults(const StoreFaults& faults);
    // Called with every append, as it is sent.
    void on_append(std::function<void(const AppendRequest&)> sent);
    // While cut, this node does not reach the database.
    void set_cut(bool cut);

    template <class T>
    using Callback = Log::Callback<T>;

    void load(const std::string& user_id, Callback<LoadedLog> done) override;
    void append(AppendRequest request, std::function<void(AppendResult)> done) override;
    void flush() override;
    void read(const std::string& user_id, Offset after, std::size_t bytes_max,
              Callback<LogSlice> done) override;
    void find(const std::string& user_id, OperationId operation,
              Callback<std::optional<Offset>> done) override;
    bool shared() const override;
    void heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) override;
    void history(const std::string& user_id, const std::string& key, PageRequest page,
                 Callback<std::vector<HistoryItem>> done) override;
    void read_version(const std::string& user_id, const std::string& key, Version version,
                      Callback<ContextPtr> done) override;
    void transitions(const std::string& user_id, std::optional<std::string> instance_id,
                     PageRequest page, Callback<std::vector<Transition>> done) override;
    void responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                   Callback<std::vector<ResponseRecord>> done) override;
    void search(const std::string& user_id, const std::string& query, std::size_t limit,
                Callback<std::vector<SearchHit>> done) override;
    void expire_events(std::int64_t before_ms, Callback<std::size_t> done) override;
    void users_with_expired(std::int64_t now_ms, std::size_t limit,
                            Callback<std::vector<std::string>> done) override;
    void load_clock(Callback<ClockMark> done) override;
    void save_clock(const ClockMark& mark) override;
    std::int64_t clock_offset_ms() const override;
    void set_clock_offset(std::int64_t offset_ms);  // as the node measured it last
    StoreHealth health() const override;
    void project(ProjectRequest request, Callback<std::vector<ForeignDocument>> done) override;
    void adopted(const std::string& user_id, std::string transition_id, Offset offset,
                 Callback<Done> done) override;
    void look(std::vector<std::string> user_ids,
              Callback<std::vector<DocumentsLook>> done) override;

  private:
    void send(AppendRequest request, std::function<void(AppendResult)> done);

    std::shared_ptr<Link> link_;
    std::vector<std::pair<AppendRequest, std::function<void(AppendResult)>>> turn_;
};

}  // namespace dyad::sim

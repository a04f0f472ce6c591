// The heart in the hands of a unit test: nodes over one store in memory, each with its engine, all
// on one clock that only the test moves. Answers of the store wait where the test says so.
#pragma once

#include "core/engine.hpp"
#include "sim_store/event_queue.hpp"
#include "sim_store/seeded_random.hpp"
#include "sim_store/sim_database.hpp"
#include "sim_store/sim_store.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dyad::test {

class HandClock final : public Clock {
  public:
    std::int64_t wall_ms() const override {
        ++looks;
        return wall;
    }
    std::int64_t steady_ms() const override {
        ++looks;
        return steady;
    }

    std::int64_t wall = 1'700'000'000'000;
    std::int64_t steady = 5'000;
    mutable int looks = 0;
};

enum class Call : std::uint8_t { load, append, read, find, heads, read_version, project };

// Passes everything on to a store, counts it, and can hold answers back. What a held answer says
// was true when the question arrived.
class GatedStore final : public Store, public Documents {
  public:
    explicit GatedStore(sim::SimStore& inner) : inner_(inner) {}

    template <class T>
    using Callback = Log::Callback<T>;

    int count(Call call) const { return counts_.contains(call) ? counts_.at(call) : 0; }
    void hold(Call call) { held_[call]; }
    // Gives the held answers, in their order, and holds no more of them.
    void release(Call call) {
        auto answers = std::exchange(held_[call], {});
        held_.erase(call);
        for (auto& answer : answers)
            answer();
    }
    std::size_t waiting(Call call) const {
        return held_.contains(call) ? held_.at(call).size() : 0;
    }

    void load(const std::string& user_id, Callback<LoadedLog> done) override {
        inner_.load(user_id, gate(Call::load, std::move(done)));
    }
    void append(AppendRequest request, std::function<void(AppendResult)> done) override {
        if (loses_races) {
            auto late = std::make_shared<EventBatch>(*request.batch);
            late->prev_hash[0] ^= 1;  // as if somebody had been first
            request.batch = std::move(late);
        }
        inner_.append(std::move(request), gate(Call::append, std::move(done)));
    }
    void read(const std::string& user_id, Offset after, std::size_t bytes_max,
              Callback<LogSlice> done) override {
        inner_.read(user_id, after, bytes_max, gate(Call::read, std::move(done)));
    }
    void find(const std::string& user_id, OperationId operation,
              Callback<std::optional<Offset>> done) override {
        inner_.find(user_id, std::move(operation), gate(Call::find, std::move(done)));
    }
    bool loses_races = false;  // every append conflicts
    bool shared() const override { return inner_.shared(); }
    void heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) override {
        inner_.heads(std::move(user_ids), gate(Call::heads, std::move(done)));
    }
    void history(const std::string& user_id, const std::string& key, PageRequest page,
                 Callback<std::vector<HistoryItem>> done) override {
        inner_.history(user_id, key, page, std::move(done));
    }
    void read_version(const std::string& user_id, const std::string& key, Version version,
                      Callback<ContextPtr> done) override {
        inner_.read_version(user_id, key, version, gate(Call::read_version, std::move(done)));
    }
    void transitions(const std::string& user_id, std::optional<std::string> instance_id,
                     PageRequest page, Callback<std::vector<Transition>> done) override {
        inner_.transitions(user_id, std::move(instance_id), page, std::move(done));
    }
    void responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                   Callback<std::vector<ResponseRecord>> done) override {
        inner_.responses(user_id, std::move(filter), page, std::move(done));
    }
    void search(const std::string& user_id, const std::string& query, std::size_t limit,
                Callback<std::vector<SearchHit>> done) override {
        inner_.search(user_id, query, limit, std::move(done));
    }
    void expire_events(std::int64_t before_ms, Callback<std::size_t> done) override {
        inner_.expire_events(before_ms, std::move(done));
    }
    void users_with_expired(std::int64_t now_ms, std::size_t limit,
                            Callback<std::vector<std::string>> done) override {
        inner_.users_with_expired(now_ms, limit, std::move(done));
    }
    void load_clock(Callback<ClockMark> done) override { inner_.load_clock(std::move(done)); }
    void save_clock(const ClockMark& mark) override { inner_.save_clock(mark); }
    StoreHealth health() const override { return inner_.health(); }
    void project(ProjectRequest request, Callback<std::vector<ForeignDocument>> done) override {
        inner_.project(documents_fail ? ProjectRequest{} : std::move(request),
                       gate(Call::project, Callback<std::vector<ForeignDocument>>(
                                               [fails = documents_fail, done](auto answer) {
                                                   if (fails)
                                                       answer = fail(Errc::storage_unavailable);
                                                   done(std::move(answer));
                                               })));
    }
    void adopted(const std::string& user_id, std::string transition_id, Offset offset,
                 Callback<Done> done) override {
        inner_.adopted(user_id, std::move(transition_id), offset, std::move(done));
    }
    void look(std::vector<std::string> user_ids,
              Callback<std::vector<DocumentsLook>> done) override {
        inner_.look(std::move(user_ids), std::move(done));
    }
    bool documents_fail = false;  // to be written

  private:
    template <class T>
    std::function<void(T)> gate(Call call, std::function<void(T)> done) {
        ++counts_[call];
        return [this, call, done = std::move(done)](T answer) {
            const auto at = held_.find(call);
            if (at == held_.end())
                done(std::move(answer));
            else
                at->second.push_back([done, answer = std::move(answer)] { done(answer); });
        };
    }

    sim::SimStore& inner_;
    std::map<Call, int> counts_;
    std::map<Call, std::deque<std::function<void()>>> held_;
};

class HandBus final : public Bus {
  public:
    void publish(BusMessage message) override {
        ++published;
        if (auto* announcement = std::get_if<Announcement>(&message))
            sent.push_back(std::move(*announcement));
        else
            told.push_back(std::move(message));
    }
    void follow(const std::string& user_id) override { followed.insert(user_id); }
    void unfollow(const std::string& user_id) override { followed.erase(user_id); }
    void renew() override { ++renewals; }
    void set_receiver(std::function<void(const BusMessage&)> receive) override {
        receive_ = std::move(receive);
    }
    bool connected() const override { return up; }
    void arrive(const BusMessage& message) {
        const std::string* user = user_of(message);
        if (receive_ && !deaf && (user == nullptr || followed.contains(*user))) receive_(message);
    }

    std::vector<Announcement> sent;
    std::vector<BusMessage> told;  // all else
    std::set<std::string> followed;
    int renewals = 0;
    int published = 0;  // of all kinds, so far
    bool up = true;
    bool deaf = false;

  private:
    std::function<void(const BusMessage&)> receive_;
};

// A plain frame is "<offset> ".
class OffsetRenderer final : public core::Renderer {
  public:
    void render_plain(std::string_view, const EventOrigin& event, const Change&,
                      std::string& out) const override {
        out += std::to_string(event.offset) + " ";
    }
};

// Keeps what it is given; takes it slowly where told.
class RecordingPeer final : public core::Peer {
  public:
    struct Run {
        Offset first;
        Offset last;
        std::string text;
        auto operator<=>(const Run&) const = default;
    };

    bool deliver(Offset first, Offset last, const std::vector<std::string_view>& pieces) override {
        Run run{first, last, {}};
        for (const std::string_view piece : pieces)
            run.text.append(piece);
        runs.push_back(std::move(run));
        return !full;
    }
    bool reset(std::shared_ptr<const core::Snapshot> snapshot) override {
        resets.push_back(std::move(snapshot));
        return !full;
    }
    void close(Errc why) override { closed = why; }
    // The offsets of all runs, as "1-3 4-4".
    std::string ranges() const {
        std::string text;
        for (const Run& run : runs)
            text += (text.empty() ? "" : " ") + std::to_string(run.first) + "-" +
                    std::to_string(run.last);
        return text;
    }

    std::vector<Run> runs;
    std::vector<std::shared_ptr<const core::Snapshot>> resets;
    std::optional<Errc> closed;
    std::optional<Position> start;
    bool full = false;
    core::SessionId session = nullptr;
};

using CommandAnswer = std::optional<std::variant<Reply, Rejection>>;

inline const Reply* reply_in(const CommandAnswer& answer) {
    return answer ? std::get_if<Reply>(&*answer) : nullptr;
}
inline std::optional<Errc> error_in(const CommandAnswer& answer) {
    const auto* rejection = answer ? std::get_if<Rejection>(&*answer) : nullptr;
    return rejection ? std::optional(rejection->error.code) : std::nullopt;
}

class CoreRig {
  public:
    struct Node {
        Node(CoreRig& rig, int number)
            : store(rig.queue, rig.database, static_cast<std::uint64_t>(number) + 1,
                    rig.database_up, rig.shared_),
              gated(store),
              random(static_cast<std::uint64_t>(number) + 100),
              engine(rig.config_, {rig.clock, random, gated, gated, bus, rig.renderer_,
                                   rig.with_documents_ ? &gated : nullptr}) {}

        sim::SimStore store;
        GatedStore gated;
        HandBus bus;
        sim::SeededRandom random;
        core::Engine engine;
    };

    // More than one node share the store, as a database's clients do.
    explicit CoreRig(int nodes = 1, core::Config config = {})
        : shared_(nodes > 1), config_(config) {
        for (int number = 0; number < nodes; ++number)
            nodes_.push_back(std::make_unique<Node>(*this, number));
    }

    // Others write beside the logs. Before anything else.
    void use_documents() {
        with_documents_ = true;
        for (std::size_t number = 0; number < nodes_.size(); ++number)
            restart(number);
    }
    Node& node(std::size_t number = 0) { return *nodes_[number]; }
    core::Engine& engine(std::size_t number = 0) { return nodes_[number]->engine; }
    // A new process in the node's place; its sessions are gone.
    void restart(std::size_t number) {
        nodes_[number].reset();
        nodes_[number] = std::make_unique<Node>(*this, static_cast<int>(number) + 50);
    }

    // Until nothing is under way but what is held back. Announcements are carried where `carry`.
    void settle() {
        for (bool worked = true; worked;) {
            for (const auto& node : nodes_)
                node->engine.flush();
            worked = !queue.empty();
            queue.run_all();
            for (std::size_t from = 0; carry && from < nodes_.size(); ++from) {
                HandBus& bus = nodes_[from]->bus;
                std::vector<BusMessage> messages = std::exchange(bus.told, {});
                for (Announcement& sent : std::exchange(bus.sent, {}))
                    messages.emplace_back(std::move(sent));
                worked = worked || !messages.empty();
                for (const BusMessage& message : messages)
                    for (std::size_t to = 0; to < nodes_.size(); ++to)
                        if (to != from || comes_back(message)) nodes_[to]->bus.arrive(message);
            }
        }
    }
    // Time passes: a tick and its consequences every 100 ms.
    void pass(std::int64_t ms) {
        for (std::int64_t left = ms; left > 0; left -= 100) {
            const std::int64_t step = std::min<std::int64_t>(left, 100);
            clock.wall += step;
            clock.steady += step;
            for (const auto& node : nodes_)
                node->engine.tick();
            settle();
        }
    }

    // The answer may come later than this returns, where something is held back.
    std::shared_ptr<CommandAnswer> begin(const Command& command, std::size_t node = 0) {
        auto answer = std::make_shared<CommandAnswer>();
        engine(node).submit(user, Command(command),
                            [answer](std::variant<Reply, Rejection> result) {
                                CHECK(!answer->has_value());  // once
                                *answer = std::move(result);
                            });
        return answer;
    }
    CommandAnswer submit(const Command& command, std::size_t node = 0) {
        const auto answer = begin(command, node);
        settle();
        return *answer;
    }
    // Writes `count` events, one commit each.
    void grow(int count, std::size_t node = 0) {
        for (int i = 0; i < count; ++i)
            CHECK(reply_in(submit(put("grown", "{\"n\":" + std::to_string(++grown_) + "}"), node)));
    }
    Result<std::shared_ptr<const core::Snapshot>> snapshot(std::size_t node = 0) {
        std::optional<Result<std::shared_ptr<const core::Snapshot>>> taken;
        engine(node).snapshot(user, [&](auto result) { taken = std::move(result); });
        settle();
        CHECK(taken.has_value());
        return *taken;
    }
    // The data of a live context, or nothing.
    std::optional<std::string> data_of(const std::string& key, std::size_t node = 0) {
        const auto taken = snapshot(node);
        CHECK(taken.has_value());
        for (const ContextPtr& context : (*taken)->contexts)
            if (context->key == key) return context->data;
        return std::nullopt;
    }

    void attach(RecordingPeer& peer, core::SessionRequest request, std::size_t node = 0) {
        request.user_id = user;
        peer.session = engine(node).attach(std::move(request), peer,
                                           [&peer](Position at) { peer.start = at; });
        settle();
    }
    static core::SessionRequest negotiated(const std::string& instance = "reader") {
        return {.user_id = {},
                .instance_id = instance,
                .dialect = core::Dialect::negotiated,
                .resume = std::nullopt,
                .snapshot = false};
    }
    static core::SessionRequest resuming(Position from) {
        core::SessionRequest request = negotiated();
        request.resume = from;
        return request;
    }

    // Commands. Operation ids are new, of the instance "writer", where none is given.
    Command command(CommandBody body, std::string operation_id = {}) {
        Command made;
        made.instance_id = "writer";
        made.operation_id =
            operation_id.empty() ? "op" + std::to_string(++operation_) : std::move(operation_id);
        made.body = std::move(body);
        return made;
    }
    Command put(const std::string& key, const std::string& data, std::string operation_id = {}) {
        PutContext body;
        body.key = key;
        body.data = data;
        body.force = true;
        return command(std::move(body), std::move(operation_id));
    }

    const sim::UserRecord& log() { return database.users().at(user); }
    Offset log_end() {
        const auto at = database.users().find(user);
        return at == database.users().end() ? 0 : at->second.events.size();
    }
    Position position_at(Offset offset) { return log().head_at(user, offset).position(); }
    // The oldest events go, up to and with `last`.
    void expire_up_to(Offset last) {
        sim::UserRecord& record = database.users().at(user);
        database.project(record, record.events.size());
        database.expire(INT64_MAX, [last](const std::string&, const sim::StoredEvent& event) {
            return event.offset > last;
        });
        CHECK(record.first_kept == last + 1);
    }

    std::string user = "ada";
    bool carry = true;  // announcements from node to node
    HandClock clock;
    sim::EventQueue queue;
    sim::SimDatabase database;
    std::shared_ptr<sim::Availability> database_up = std::make_shared<sim::Availability>();

  private:
    bool shared_;
    bool with_documents_ = false;
    core::Config config_;
    OffsetRenderer renderer_;
    std::vector<std::unique_ptr<Node>> nodes_;
    int operation_ = 0;
    int grown_ = 0;
};

}  // namespace dyad::test

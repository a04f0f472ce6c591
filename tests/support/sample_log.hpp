// One user's log as a server would write it, with what must be derived from it: for tests of
// stores.
#pragma once

#include "base/clock.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dyad::test {

// The same numbers from the same seed.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed * 2 + 1) {}
    void fill(std::span<std::uint8_t> out) override;
    bool chance(double probability);

  private:
    std::uint64_t next();
    std::uint64_t state_;
};

// The seed of the epochs in the stores that sample logs are for; simulated ones have it anyway.
inline constexpr std::uint64_t kSampleSeed = 1;

class SampleLog {
  public:
    struct Shape {
        std::size_t keys = 12;         // contexts
        std::size_t data_bytes = 120;  // about, per context
        bool only_contexts = false;
    };

    SampleLog(std::string user, Random& random) : SampleLog(std::move(user), random, Shape()) {}
    SampleLog(std::string user, Random& random, Shape shape);

    // A batch that follows `log`'s end; the log itself stays as it is.
    AppendRequest draft(std::size_t events);
    // `later` was copied from this log and drafted more: its operation ids and times are taken.
    void skip_operations_of(const SampleLog& later) {
        operation_ = later.operation_;
        now_ms = later.now_ms;
    }
    // Two batches that follow each other are drafted from a log that took the first one.
    void take(const EventBatch& batch, const std::vector<Change>& changes);

    const std::string& user() const noexcept { return user_; }
    const LogHead& head() const noexcept { return head_; }
    const State& state() const noexcept { return state_; }
    // The texts of all events, the first one at index 0.
    const std::vector<std::string>& texts() const noexcept { return texts_; }
    const std::vector<std::uint64_t>& operation_keys() const noexcept { return operations_; }
    OperationId operation_at(Offset offset) const;
    const std::map<std::pair<std::string, std::string>, ResponseRecord>& responses() const {
        return responses_;
    }
    const std::vector<std::pair<Offset, ModeState>>& transitions() const { return transitions_; }
    std::int64_t now_ms = 1'700'000'000'000;

  private:
    Change next_change(const State& state, Offset offset);
    ContextChange next_context(const State& state, Offset offset);
    ResponseChange next_response(Offset offset);
    ModeChange next_mode(const State& state);
    ClaimChange next_claim(const State& state, Offset offset);

    std::string user_;
    Random& random_;
    Shape shape_;
    std::uint64_t operation_ = 0;
    LogHead head_;
    State state_;
    std::vector<std::string> texts_;
    std::vector<std::uint64_t> operations_;
    std::map<std::pair<std::string, std::string>, ResponseRecord> responses_;
    std::vector<std::pair<Offset, ModeState>> transitions_;
};

// A state as text: equal texts, equal states. Deleted contexts are left out where told.
std::string describe(const State& state, bool with_deleted);
std::string describe(const std::vector<ResponseRecord>& records);

}  // namespace dyad::test

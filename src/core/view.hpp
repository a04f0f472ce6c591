// What a decision sees of a user's memory.
#pragma once

#include "model/change.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

namespace dyad::core {

// The state that a decision sees: the durable state and, over it, the changes of the batch that is
// being put together. Lifetime: as long as `durable`.
class View {
  public:
    explicit View(const State& durable) : durable_(&durable) {}

    // Deleted ones too; null where there never was one. Lifetime: until add().
    const ContextPtr& context(std::string_view key) const;
    const ModeState* mode(std::string_view instance_id) const;
    // In inspired mode; or it was before the batch made it make room for others.
    bool is_private(std::string_view instance_id) const;
    const Conflict* conflict(std::string_view id) const;
    std::vector<std::string> conflicts_of(std::string_view key) const;  // open ones, their ids
    // A context of which nothing is known begins above it.
    Version forgotten_version() const noexcept { return durable_->forgotten_version; }
    std::size_t live_contexts() const noexcept;
    std::size_t live_bytes() const noexcept;
    std::size_t open_conflicts() const noexcept;
    std::size_t instances() const noexcept;
    // Of all instances. Lifetime: until add().
    std::vector<const ModeState*> modes() const;

    // Lifetime: until add().
    const Claim* claim(std::string_view resource) const;
    std::size_t claims() const noexcept;

    // Lays `change` over what the view showed so far.
    void add(const Change& change);

  private:
    struct Touched {
        ContextPtr first;  // whose key it is found by
        ContextPtr now;
    };

    void add_context(const ContextChange& change);
    void add_mode(const ModeChange& change);
    void add_claim(const ClaimChange& change);

    const State* durable_;
    // What the batch touched, as it is after it. Most batches touch one context only.
    ContextPtr latest_;                                                   // touched last
    boost::unordered_flat_map<std::string_view, Touched> contexts_;       // the others
    std::map<std::string, std::optional<ModeState>, std::less<>> modes_;  // nothing: forgotten
    std::set<std::string, std::less<>> forgotten_private_;
    std::map<std::string, Conflict, std::less<>> conflicts_;
    std::set<std::string, std::less<>> closed_conflicts_;
    std::size_t closed_durable_ = 0;
    std::map<std::string, std::optional<Claim>, std::less<>> claims_;  // nothing: over
    std::int64_t claims_delta_ = 0;
    std::int64_t instances_delta_ = 0;
    std::int64_t live_contexts_delta_ = 0;
    std::int64_t live_bytes_delta_ = 0;
};

}  // namespace dyad::core

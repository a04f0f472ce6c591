#include "core/privacy.hpp"

#include <algorithm>

namespace dyad::core {

PrivacyAsks::Serial PrivacyAsks::standing(std::string_view instance) const {
    const auto at = instances_.find(instance);
    if (at == instances_.end()) return 0;
    const Asks& asks = at->second;
    return asks.open.empty() ? asks.last : std::max(asks.last, asks.open.back().first);
}

bool PrivacyAsks::stands(std::string_view instance, Serial ask) const {
    const auto at = instances_.find(instance);
    if (at == instances_.end()) return false;
    const Asks& asks = at->second;
    if (asks.first == kAlways) return true;
    return (asks.first != 0 && ask >= asks.first) ||
           std::any_of(asks.open.begin(), asks.open.end(),
                       [ask](const auto& open) { return open.first == ask; });
}

void PrivacyAsks::ask(const std::string& instance, Serial serial, std::uint64_t operation_key) {
    instances_[instance].open.emplace_back(serial, operation_key);
}

void PrivacyAsks::refuse(const std::string& instance, Serial serial) {
    Asks& asks = instances_[instance];
    std::erase_if(asks.open, [serial](const auto& open) { return open.first == serial; });
    // A newer one may have been refused before, without waiting for its turn.
    asks.first = asks.first == 0 ? serial : std::min(asks.first, serial);
    asks.last = std::max(asks.last, serial);
    asks.end = kUnsettled;
}

void PrivacyAsks::keep(const std::string& instance, Offset end) {
    Asks& asks = instances_[instance];
    asks.first = kAlways;
    asks.last = std::max(asks.last, kAlways);
    asks.end = end;
}

void PrivacyAsks::forget_repeated(std::string_view instance, Serial serial) {
    const auto at = instances_.find(instance);
    if (at == instances_.end()) return;
    std::erase_if(at->second.open, [serial](const auto& open) { return open.first == serial; });
    drop_where_over(at);
}

void PrivacyAsks::noted(std::string_view instance, std::uint64_t operation_key) {
    const auto at = instances_.find(instance);
    if (at == instances_.end()) return;
    const auto& open = at->second.open;
    const auto found = std::find_if(open.begin(), open.end(), [operation_key](const auto& one) {
        return one.second == operation_key;
    });
    if (found != open.end()) ended(instance, found->first + 1);
}

void PrivacyAsks::ended(std::string_view instance, Serial serial) {
    const auto at = instances_.find(instance);
    if (at == instances_.end()) return;
    Asks& asks = at->second;
    std::erase_if(asks.open, [serial](const auto& open) { return open.first < serial; });
    if (asks.last < serial)
        asks.first = asks.last = 0;
    else
        asks.first = std::max(asks.first, serial);
    drop_where_over(at);
}

void PrivacyAsks::ended_elsewhere(std::string_view instance, Offset offset) {
    const auto at = instances_.find(instance);
    if (at == instances_.end() || !at->second.open.empty() || at->second.end >= offset) return;
    instances_.erase(at);
}

void PrivacyAsks::settle(std::string_view instance, Serial ask, Offset end) {
    const auto at = instances_.find(instance);
    if (at != instances_.end() && at->second.last == ask) at->second.end = end;
}

void PrivacyAsks::settle_all(Offset end) {
    for (auto& [instance, asks] : instances_)
        asks.end = end;
}

void PrivacyAsks::trim(std::size_t most,
                       const std::function<bool(const std::string&)>& is_present) {
    if (instances_.size() <= most) return;
    std::vector<Instances::iterator> absent;
    for (auto at = instances_.begin(); at != instances_.end(); ++at)
        if (at->second.open.empty() && !is_present(at->first)) absent.push_back(at);
    if (absent.size() <= most) return;
    std::sort(absent.begin(), absent.end(),
              [](auto a, auto b) { return a->second.last > b->second.last; });
    for (std::size_t i = most; i < absent.size(); ++i)
        instances_.erase(absent[i]);
}

void PrivacyAsks::drop_where_over(Instances::iterator at) {
    if (at->second.open.empty() && at->second.first == 0) instances_.erase(at);
}

}  // namespace dyad::core

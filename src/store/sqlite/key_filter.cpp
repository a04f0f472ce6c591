#include "store/sqlite/key_filter.hpp"

#include <algorithm>

namespace dyad::sqlite {

void KeyFilter::add(std::uint64_t key) {
    constexpr std::size_t kNewestMax = 128;
    newest_.push_back(hash_of(key));
    bytes_ += sizeof(std::uint32_t);
    if (newest_.size() < kNewestMax) return;
    std::sort(newest_.begin(), newest_.end());
    bytes_ -= newest_.size() * sizeof(std::uint32_t);
    add_sorted(newest_);
    newest_.clear();
}

void KeyFilter::add_sorted(std::vector<std::uint32_t> hashes) {
    constexpr std::size_t kFactor = 4;
    if (hashes.empty()) return;
    bytes_ += hashes.size() * sizeof(std::uint32_t);
    const auto place = std::find_if(sorted_.begin(), sorted_.end(),
                                    [&](const auto& list) { return list.size() < hashes.size(); });
    sorted_.insert(place, std::move(hashes));
    while (sorted_.size() > 1 &&
           sorted_.back().size() * kFactor > sorted_[sorted_.size() - 2].size()) {
        std::vector<std::uint32_t> merged(sorted_.back().size() +
                                          sorted_[sorted_.size() - 2].size());
        std::merge(sorted_.back().begin(), sorted_.back().end(),
                   sorted_[sorted_.size() - 2].begin(), sorted_[sorted_.size() - 2].end(),
                   merged.begin());
        sorted_.pop_back();
        sorted_.back() = std::move(merged);
    }
}

void KeyFilter::merge(KeyFilter other) {
    for (std::vector<std::uint32_t>& list : other.sorted_)
        add_sorted(std::move(list));
    std::sort(other.newest_.begin(), other.newest_.end());
    add_sorted(std::move(other.newest_));
}

bool KeyFilter::may_have(std::uint64_t key) const {
    const std::uint32_t hash = hash_of(key);
    return std::find(newest_.begin(), newest_.end(), hash) != newest_.end() ||
           std::any_of(sorted_.begin(), sorted_.end(), [&](const auto& list) {
               return std::binary_search(list.begin(), list.end(), hash);
           });
}

}  // namespace dyad::sqlite

#include "store/sqlite/key_filter.hpp"

#include <algorithm>
#include <utility>

namespace dyad::sqlite {

// Where it is, or would be: behind its first place, which is the further back the larger it is.
std::size_t KeyFilter::place_of(std::uint32_t hash) const noexcept {
    std::size_t at = hash * std::uint64_t{table_.size()} >> 31;
    while (table_[at] != 0 && table_[at] != hash + 1)
        if (++at == table_.size()) at = 0;
    return at;
}

// At most four fifths are used, and where it grows more than half.
void KeyFilter::make_room(std::size_t more) {
    constexpr std::size_t kLeast = 16;
    const std::size_t least = (used_ + more) * 5 / 4 + 1;
    if (least <= table_.size()) return;
    const std::vector<std::uint32_t> before = std::exchange(
        table_, std::vector<std::uint32_t>(std::max({kLeast, least, table_.size() * 3 / 2})));
    for (const std::uint32_t entry : before)
        if (entry != 0) table_[place_of(entry - 1)] = entry;
}

void KeyFilter::add_hash(std::uint32_t hash) noexcept {
    std::uint32_t& entry = table_[place_of(hash)];
    used_ += entry == 0 ? 1 : 0;
    entry = hash + 1;
}

void KeyFilter::add(std::uint64_t key) {
    make_room(1);
    add_hash(hash_of(key));
}

void KeyFilter::add_hashes(const std::vector<std::uint32_t>& hashes) {
    make_room(hashes.size());
    for (const std::uint32_t hash : hashes)
        add_hash(hash);
}

void KeyFilter::merge(KeyFilter other) {
    if (used_ < other.used_) std::swap(*this, other);
    make_room(other.used_);
    for (const std::uint32_t entry : other.table_)
        if (entry != 0) add_hash(entry - 1);
}

bool KeyFilter::may_have(std::uint64_t key) const {
    return used_ != 0 && table_[place_of(hash_of(key))] != 0;
}

}  // namespace dyad::sqlite

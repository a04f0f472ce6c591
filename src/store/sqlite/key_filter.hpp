// Whether a log may have an operation: the hashes of their keys in a table with open addressing,
// five to eight bytes for each. Never wrong where it says no.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dyad::sqlite {

class KeyFilter {
  public:
    static std::uint32_t hash_of(std::uint64_t key) noexcept {
        return static_cast<std::uint32_t>(key >> 33);
    }

    void add(std::uint64_t key);
    void add_hashes(const std::vector<std::uint32_t>& hashes);  // fastest where they are sorted
    void merge(KeyFilter other);
    // Of the keys that were not added, one in 2^31 for each that was is taken for one of them.
    bool may_have(std::uint64_t key) const;
    std::size_t bytes() const noexcept { return table_.size() * sizeof(std::uint32_t); }

  private:
    std::size_t place_of(std::uint32_t hash) const noexcept;
    void add_hash(std::uint32_t hash) noexcept;  // has room
    void make_room(std::size_t more);

    std::vector<std::uint32_t> table_;  // a hash and one; 0: free
    std::size_t used_ = 0;
};

}  // namespace dyad::sqlite

// Whether a log may have an operation: the hashes of their keys, four bytes each, in lists that
// grow by a factor. Never wrong where it says no.
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
    void add_sorted(std::vector<std::uint32_t> hashes);
    void merge(KeyFilter other);
    // Of the keys that were not added, one in 2^31 for each that was is taken for one of them.
    bool may_have(std::uint64_t key) const;
    std::size_t bytes() const noexcept { return bytes_; }

  private:
    std::vector<std::uint32_t> newest_;               // not sorted
    std::vector<std::vector<std::uint32_t>> sorted_;  // each much smaller than the one before
    std::size_t bytes_ = 0;
};

}  // namespace dyad::sqlite

#include "store/sqlite/key_filter.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace dyad::sqlite {
namespace {

std::uint64_t key_of(std::uint64_t number) {
    return number * 0x9e3779b97f4a7c15;
}

}  // namespace

TEST(KeyFilter, KnowsWhatItWasGivenAndHardlyAnythingElse) {
    KeyFilter filter;
    EXPECT_FALSE(filter.may_have(key_of(1)));
    std::vector<std::uint32_t> hashes;
    for (std::uint64_t n = 1; n <= 3000; ++n)
        hashes.push_back(KeyFilter::hash_of(key_of(n)));
    std::sort(hashes.begin(), hashes.end());
    filter.add_hashes(hashes);
    for (std::uint64_t n = 3001; n <= 20'000; ++n) {
        filter.add(key_of(n));
        EXPECT_TRUE(filter.may_have(key_of(n)));
    }
    std::size_t unknown = 0;
    std::size_t taken = 0;
    for (std::uint64_t n = 1; n <= 20'000; ++n) {
        unknown += filter.may_have(key_of(n)) ? 0 : 1;
        taken += filter.may_have(key_of(n + 1'000'000)) ? 1 : 0;
    }
    EXPECT_EQ(unknown, 0U);
    EXPECT_LE(taken, 2U);
    EXPECT_GE(filter.bytes(), 20'000 * sizeof(std::uint32_t));
    EXPECT_LE(filter.bytes(), 20'000 * 2 * sizeof(std::uint32_t));
}

}  // namespace dyad::sqlite

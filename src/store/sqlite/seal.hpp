// The seal of a page: what is read is what this store wrote, at this place. Pure: no I/O.
// (Integers little-endian.)
//
//     page := content seal             the seal stands in the bytes that SQLite reserves in each
//     page seal := store_id:u64 transaction:u64 checksum:u64
//
// The checksum covers the page up to itself and is seeded with the page's number, so that a page
// that was moved is found as well. `transaction` is the number of the one that wrote the page: it
// shows a page of a transaction that never ended, and whether a rollback journal is of this time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace dyad::sqlite {

inline constexpr std::size_t kSealBytes = 24;

struct Seal {
    std::uint64_t store_id = 0;
    std::uint64_t transaction = 0;
};
// Nothing where the page is not as it was sealed. Pages are numbered from 1.
std::optional<Seal> read_seal(std::string_view page, std::uint64_t number);
void write_seal(std::span<char> page, std::uint64_t number, const Seal& seal);

}  // namespace dyad::sqlite

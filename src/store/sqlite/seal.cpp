#include "store/sqlite/seal.hpp"

#include "base/check.hpp"
#include "base/hash64.hpp"

#include <cstring>

namespace dyad::sqlite {
namespace {

constexpr std::size_t kChecksumBytes = 8;

}  // namespace

std::optional<Seal> read_seal(std::string_view page, std::uint64_t number) {
    if (page.size() <= kSealBytes) return std::nullopt;
    const std::size_t covered = page.size() - kChecksumBytes;
    std::uint64_t checksum;
    std::memcpy(&checksum, page.data() + covered, kChecksumBytes);
    if (checksum != hash64(page.substr(0, covered), number)) return std::nullopt;
    Seal seal;
    std::memcpy(&seal.store_id, page.data() + page.size() - kSealBytes, 8);
    std::memcpy(&seal.transaction, page.data() + page.size() - kSealBytes + 8, 8);
    return seal;
}

void write_seal(std::span<char> page, std::uint64_t number, const Seal& seal) {
    CHECK(page.size() > kSealBytes);
    char* at = page.data() + page.size() - kSealBytes;
    std::memcpy(at, &seal.store_id, 8);
    std::memcpy(at + 8, &seal.transaction, 8);
    const std::uint64_t checksum = hash64({page.data(), page.size() - kChecksumBytes}, number);
    std::memcpy(at + 16, &checksum, kChecksumBytes);
}

}  // namespace dyad::sqlite

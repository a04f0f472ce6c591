#include "store/sqlite/database_header.hpp"

namespace dyad::sqlite {
namespace {

constexpr std::string_view kMagic{"SQLite format 3", 16};

}  // namespace

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t number = 0;
    for (std::size_t i = at; i < at + 4; ++i)
        number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
    return number;
}

DatabaseHeader read_database_header(std::string_view bytes) {
    DatabaseHeader header;
    header.is_database = bytes.size() >= DatabaseHeader::kBytes && bytes.starts_with(kMagic);
    if (!header.is_database) return header;
    const std::uint32_t page = number_at(bytes, 14) & 0xffffU;
    header.page_bytes = page == 1 ? 65536 : page;
    header.reserved_bytes = static_cast<std::uint8_t>(bytes[20]);
    // Who writes a database without noting its size leaves the two counters different.
    if (number_at(bytes, 24) == number_at(bytes, 92)) header.pages = number_at(bytes, 28);
    header.user_version = number_at(bytes, 60);
    header.application_id = number_at(bytes, 68);
    return header;
}

}  // namespace dyad::sqlite

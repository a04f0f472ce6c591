// The first bytes of a database (https://www.sqlite.org/fileformat2.html, 1.3). Pure: no I/O.
#pragma once

#include <cstdint>
#include <string_view>

namespace dyad::sqlite {

struct DatabaseHeader {
    static constexpr std::size_t kBytes = 100;

    bool is_database = false;  // nothing else counts where it is not
    std::size_t page_bytes = 0;
    std::size_t reserved_bytes = 0;  // of each page
    std::uint32_t pages = 0;         // 0 where it does not say
    std::uint32_t user_version = 0;
    std::uint32_t application_id = 0;
};
DatabaseHeader read_database_header(std::string_view bytes);

// Big-endian, as SQLite writes its numbers. Requires: at + 4 <= bytes.size().
std::uint32_t number_at(std::string_view bytes, std::size_t at);

}  // namespace dyad::sqlite

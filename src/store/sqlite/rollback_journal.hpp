// SQLite's rollback journal (https://www.sqlite.org/fileformat2.html, 3), looked at before SQLite
// plays it back: SQLite stops without a word at the first page that is damaged, and would put pages
// of another time into a database that they do not belong to. Looks only.
#pragma once

#include "base/result.hpp"
#include "store/sqlite/file.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace dyad::sqlite {

inline constexpr std::size_t kRollbackHeaderBytes = 28;

// Of how many pages the database was when the transaction began that is to be rolled back; nothing
// where there is none, as `header` has it, the first bytes of the journal.
std::optional<std::uint32_t> pages_before(std::string_view header);

// Whether every page in the journal is as it was sealed, and is the last state before the one that
// `database`, which has sealed pages of `page_bytes`, holds now.
// Errors: storage_damaged, naming the page; storage_unavailable.
Status check_rollback(const File& journal, const File& database, std::size_t page_bytes);

}  // namespace dyad::sqlite

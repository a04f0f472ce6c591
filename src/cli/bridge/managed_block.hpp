// Which part of a file is shared: the lines between two markers, or all of it.
//
//     file  = *line [ begin *line end *line ]
//     begin = "<!-- dyad-memory:begin" text "-->"      each a line of its own, white space
//     end   = "<!-- dyad-memory:end" text "-->"        round it does not count
//
// What is outside of a block is the user's, and is never changed: a file with another text in its
// block has the same bytes before and behind it. The shared text has LF at the ends of its lines,
// whatever the file has. Pure.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::cli {

// With LF where CR LF stands, or several CR in front of one.
std::string with_lf(std::string_view text);

// A file's bytes, and where in it the shared text stands.
class SharedPart {
  public:
    // Errors: invalid_utf8; invalid_field for NUL, for markers that are not one pair in order and,
    // in a file that is shared as a whole, for any marker.
    static Result<SharedPart> find(std::string file, bool whole);

    // Nothing where there is no block, or none with anything in it.
    const std::optional<std::string>& text() const noexcept { return text_; }
    bool has_block() const noexcept { return has_block_; }
    // The file with another text in its place; lines that stay keep their ends, others get that of
    // the marker's line or, without one, of the file's first line. A block that is not there yet
    // comes at the end; without a text it goes, markers and all. Errors: invalid_field for a text
    // that holds a marker.
    Result<std::string> with(const std::optional<std::string>& text) const;
    // All that the file holds, in a block. Requires: no block.
    std::string wrapped() const;

  private:
    std::string_view eol() const;
    // The text with the ends of lines that it has in the file.
    std::string ended(const std::string& text) const;

    std::string file_;
    bool whole_ = false;
    bool has_block_ = false;
    std::size_t begin_ = 0, end_ = 0;              // of the text
    std::size_t outer_begin_ = 0, outer_end_ = 0;  // of it with its markers
    std::optional<std::string> text_;
};

}  // namespace dyad::cli

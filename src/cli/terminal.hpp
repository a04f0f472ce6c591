// What goes to the terminal. Colours only where standard output is a terminal that takes them and
// NO_COLOR is not set. Text that came from the memory is made printable first: it must not drive
// the terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

// As the codes of ECMA-48.
enum class Colour : std::uint8_t {
    plain = 0,
    bold = 1,
    dim = 90,
    green = 32,
    amber = 33,
    red = 31,
    cyan = 36,
};

// Before anything else: standard streams that are closed get a place of their own, so that no file
// or connection takes it and is written into; a reader that goes is an error and no signal.
void prepare_streams();

// Standard output. Lines are kept until flush_output() or the buffer is full. Where its reader has
// gone, the process ends.
void print(std::string_view text);
void print_line(std::string_view text);
// Standard error.
void complain(std::string_view text);
// False where standard output took not everything (a full disk).
bool flush_output();
// Nobody reads standard output any more: its pipe or terminal was closed at the other end.
bool reader_is_gone();
// It was closed when the program began.
bool output_is_closed();
// Ends the process as SIGPIPE does, silently (status 141 in a shell), for nobody is left to tell.
[[noreturn]] void end_without_reader();

// How much of some work is done, on standard error, where that is a terminal.
void show_percent(const std::string& what, std::size_t done, std::size_t of);

bool output_is_terminal();
std::string paint(Colour colour, std::string_view text);
struct TerminalSize {
    std::size_t rows = 24;
    std::size_t columns = 80;
};
// The default where that cannot be told.
TerminalSize terminal_size();

// Control characters (C0, DEL, C1), direction marks and broken UTF-8 escaped as \xNN or \uNNNN;
// `keep_lines`: line feeds stay.
std::string printable(std::string_view text, bool keep_lines = false);
// The key of a context, kept byte by byte: one that is not in Unicode normalization form C looks
// like another one, and shows the codes of its combining characters.
std::string printable_key(std::string_view key);
// Columns the text takes: one for each code point, two for wide ones. Requires: printable.
std::size_t columns_of(std::string_view text);
// At most `columns`, with an ellipsis where something was cut off.
std::string cut(std::string_view text, std::size_t columns);

// With blanks behind it, up to so many columns.
std::string padded(std::string_view text, std::size_t columns);

// Columns under headings, as wide as they need to be; nothing for no rows. Cells are made
// printable.
using Row = std::vector<std::string>;
std::string table(const Row& headings, const std::vector<Row>& rows);

// "2026-01-31 14:05:09" in local time.
std::string local_time(std::int64_t ms);
// "3 s", "5 min", "2 h", "4 days".
std::string duration(std::int64_t ms);
// "512 B", "1.5 KiB".
std::string byte_size(std::uint64_t bytes);

}  // namespace dyad::cli

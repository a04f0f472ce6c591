#include "cli/terminal.hpp"

#include "model/identity.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

bool has_colour() {
    static const bool colour = [] {
        const char* const none = std::getenv("NO_COLOR");
        const char* const kind = std::getenv("TERM");
        const bool dumb = kind == nullptr || std::string_view(kind) == "dumb";
        return output_is_terminal() && !dumb && (none == nullptr || *none == '\0');
    }();
    return colour;
}

struct CodePoint {
    UChar32 value;          // negative: not UTF-8
    std::string_view text;  // of it, or the byte that is none
};

// Takes the first one off the text. Requires: there is one.
CodePoint take_code_point(std::string_view& text) {
    UChar32 value = 0;
    std::size_t bytes = 0;
    U8_NEXT(text.data(), bytes, text.size(), value);
    const std::string_view taken = text.substr(0, value < 0 ? 1 : bytes);
    text.remove_prefix(taken.size());
    return {value, taken};
}

// Changes what a reader sees without being seen.
bool is_unseen(UChar32 c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c < 0xe0080);
}

std::size_t width_of(UChar32 c) {
    if ((U_MASK(u_charType(c)) & (U_GC_MN_MASK | U_GC_ME_MASK)) != 0) return 0;
    const int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
    return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

std::string printable(std::string_view text, bool keep_lines, bool (*escaped)(UChar32)) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const CodePoint c = take_code_point(text);
        if (c.value >= 0 && ((keep_lines && c.value == '\n') || !escaped(c.value))) {
            out.append(c.text);
            continue;
        }
        const unsigned code = c.value < 0 ? static_cast<unsigned char>(c.text[0]) : c.value;
        char hex[16];
        std::snprintf(hex, sizeof hex,
                      c.text.size() == 1   ? "\\x%02x"
                      : c.text.size() == 4 ? "\\U%08x"
                                           : "\\u%04x",
                      code);
        out.append(hex);
    }
    return out;
}

}  // namespace

void prepare_streams() {
    // Each is opened the wrong way round: using it fails, as it would have.
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            _exit(1);
    std::signal(SIGPIPE, SIG_IGN);
}

void print(std::string_view text) {
    const std::size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
    if (written < text.size() && errno == EPIPE) end_without_reader();
}

void print_line(std::string_view text) {
    print(text);
    print("\n");
}

void complain(std::string_view text) {
    flush_output();
    std::string line(text);
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

bool flush_output() {
    const bool flushed = std::fflush(stdout) == 0;
    if (!flushed && errno == EPIPE) end_without_reader();
    return flushed && std::ferror(stdout) == 0;
}

bool reader_is_gone() {
    pollfd output{STDOUT_FILENO, 0, 0};
    return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

bool output_is_closed() {
    return (fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY;  // prepare_streams()
}

void end_without_reader() {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
    _exit(128 + SIGPIPE);  // where it is blocked
}

void show_percent(const std::string& what, std::size_t done, std::size_t of) {
    static const bool shows = isatty(STDERR_FILENO) == 1;
    if (shows) complain("\r" + what + std::to_string(of == 0 ? 100 : 100 * done / of) + " %   \r");
}

bool output_is_terminal() {
    static const bool terminal = isatty(STDOUT_FILENO) == 1;
    return terminal;
}

std::string paint(Colour colour, std::string_view text) {
    if (colour == Colour::plain || text.empty() || !has_colour()) return std::string(text);
    const std::string code = std::to_string(static_cast<int>(colour));
    return ("\x1b[" + code + "m").append(text).append("\x1b[0m");
}

TerminalSize terminal_size() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        return {};
    return {size.ws_row, size.ws_col};
}

std::string printable(std::string_view text, bool keep_lines) {
    return printable(text, keep_lines, is_unseen);
}

std::string printable_key(std::string_view key) {
    return printable(
        key, false,
        is_nfc(key) ? is_unseen : +[](UChar32 c) { return is_unseen(c) || may_compose(c); });
}

std::size_t columns_of(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty())
        columns += width_of(take_code_point(text).value);
    return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
    if (columns_of(text) <= columns) return std::string(text);
    if (columns == 0) return {};
    std::string out;
    std::size_t left = columns - 1;
    for (;;) {
        const CodePoint c = take_code_point(text);
        if (width_of(c.value) > left) return out + "…";
        out.append(c.text);
        left -= width_of(c.value);
    }
}

std::string padded(std::string_view text, std::size_t columns) {
    return std::string(text).append(columns - std::min(columns, columns_of(text)), ' ');
}

std::string table(const Row& headings, const std::vector<Row>& rows) {
    if (rows.empty()) return {};
    std::vector<Row> lines{headings};
    for (const Row& row : rows) {
        Row& line = lines.emplace_back();
        for (const std::string& cell : row)
            line.push_back(printable(cell));
    }
    std::vector<std::size_t> widths(headings.size());
    for (const Row& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i)
            widths[i] = std::max(widths[i], columns_of(line[i]));
    std::string out;
    for (const Row& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i)
            text.append(padded(line[i], widths[i] + 2));
        text.resize(text.find_last_not_of(' ') + 1);
        out.append(&line == lines.data() ? paint(Colour::dim, text) : text).append("\n");
    }
    return out;
}

std::string local_time(std::int64_t ms) {
    const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    return text;
}

std::string duration(std::int64_t ms) {
    const std::int64_t seconds = std::max<std::int64_t>(0, ms) / 1000;
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
    return std::to_string(seconds / 86'400) + " days";
}

std::string byte_size(std::uint64_t bytes) {
    static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < std::size(kUnits)) {
        value /= 1024;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
    return text;
}

}  // namespace dyad::cli

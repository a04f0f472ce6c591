#include "cli/screen.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";
constexpr int kFatal[] = {SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGALRM};

termios before{};
volatile std::sig_atomic_t entered = 0;

// write() that is repeated until all is out; safe in signal handlers.
void put(std::string_view text) noexcept {
    while (!text.empty()) {
        const ssize_t sent = ::write(STDOUT_FILENO, text.data(), text.size());
        if (sent <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void leave() noexcept {
    if (entered == 0) return;
    entered = 0;
    put(kLeave);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void leave_and_end(int number) {
    leave();
    std::signal(number, SIG_DFL);
    raise(number);
}

}  // namespace

ScreenLine& ScreenLine::add(std::string_view text, Colour colour) {
    const std::string shown = cut(printable(text), left_);
    const std::size_t columns = columns_of(shown);
    left_ -= std::min(left_, columns);
    used_ += columns;
    text_.append(colour == Colour::plain ? shown : paint(colour, shown));
    return *this;
}

ScreenLine& ScreenLine::to(std::size_t column) {
    return column > used_ ? add(std::string(column - used_, ' ')) : *this;
}

std::optional<Screen> Screen::open() {
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) return std::nullopt;
    if (tcgetattr(STDIN_FILENO, &before) != 0) return std::nullopt;
    for (const int number : kFatal)
        std::signal(number, leave_and_end);
    struct sigaction resized {};
    resized.sa_handler = [](int) {};  // only to interrupt the wait for a key
    sigaction(SIGWINCH, &resized, nullptr);
    static const int registered = std::atexit(leave);
    static_cast<void>(registered);
    termios raw = before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    entered = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    put(kEnter);
    return Screen();
}

Screen::~Screen() {
    if (open_) leave();
}

ScreenSize Screen::size() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
    return {size.ws_col, size.ws_row};
}

void Screen::draw(const std::vector<ScreenLine>& lines) {
    const std::size_t rows = size().rows;
    // One write for a frame, which the terminal shows at once where it can.
    std::string frame = "\x1b[?2026h\x1b[H";
    for (std::size_t i = 0; i < rows; ++i) {
        if (i < lines.size()) frame.append(lines[i].text());
        frame.append("\x1b[K");
        if (i + 1 < rows) frame.append("\r\n");
    }
    put(frame.append("\x1b[?2026l"));
}

std::optional<char> Screen::key(int ms) {
    pollfd wait{STDIN_FILENO, POLLIN, 0};
    if (poll(&wait, 1, ms) != 1) return std::nullopt;
    char typed = 0;
    // The terminal has gone: as if it had asked to quit.
    if (::read(STDIN_FILENO, &typed, 1) != 1) return 'q';
    return typed;
}

}  // namespace dyad::cli

#include "cli/raw_terminal.hpp"

#include "cli/terminal.hpp"

#include <csignal>
#include <cstdlib>

#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
// Terminals that know it show a frame whole; the others pass over it.
constexpr std::string_view kFrameBegin = "\x1b[?2026h\x1b[H";
constexpr std::string_view kFrameEnd = "\x1b[J\x1b[?2026l";
constexpr int kEndings[] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT, SIGSEGV,
                            SIGABRT, SIGBUS,  SIGFPE, SIGILL};

termios g_before;
volatile std::sig_atomic_t g_active = 0;

void write_all(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

// May run inside a signal handler: write and tcsetattr are allowed there.
void give_back() {
    if (g_active == 0) return;
    g_active = 0;
    write_all(kLeave);
    tcsetattr(STDIN_FILENO, TCSANOW, &g_before);
}

extern "C" void on_ending(int signal) {
    give_back();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}
extern "C" void on_resize(int) {}

}  // namespace

RawTerminal::RawTerminal() {
    tcgetattr(STDIN_FILENO, &g_before);
    termios raw = g_before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    g_active = 1;
    static const bool registered = std::atexit(give_back) == 0;
    static_cast<void>(registered);
    struct sigaction action{};
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_ending;
    for (const int ending : kEndings)
        sigaction(ending, &action, nullptr);
    action.sa_handler = on_resize;  // without SA_RESTART: the wait for a key ends
    sigaction(SIGWINCH, &action, nullptr);
    write_all(kEnter);
}

RawTerminal::~RawTerminal() {
    give_back();
    for (const int ending : kEndings)
        std::signal(ending, SIG_DFL);
    std::signal(SIGWINCH, SIG_DFL);
}

int RawTerminal::key(std::int64_t wait_ms) {
    pollfd wait{STDIN_FILENO, POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(wait_ms)) <= 0) return 0;
    unsigned char c = 0;
    const ssize_t got = ::read(STDIN_FILENO, &c, 1);
    return got == 1 ? c : -1;
}

void RawTerminal::draw(const std::vector<std::string>& lines) {
    const std::size_t rows = terminal_size().rows;
    std::string out(kFrameBegin);
    for (std::size_t i = 0; i < lines.size() && i < rows; ++i) {
        if (i > 0) out.append("\r\n");
        out.append(lines[i]).append("\x1b[K");
    }
    write_all(out.append(kFrameEnd));
}

}  // namespace dyad::cli

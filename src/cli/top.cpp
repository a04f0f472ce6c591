// `dyad-memory top`: the server, live.
#include "cli/command.hpp"
#include "cli/event_source.hpp"
#include "cli/interrupt.hpp"
#include "cli/raw_terminal.hpp"
#include "cli/server_reading.hpp"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <utility>

#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kRefreshMs = 1000;
constexpr std::size_t kEventsKept = 200;

struct TopOptions {
    std::int64_t refreshes = 0;  // 0: no end
    bool once = false;

    std::int64_t count() const { return once ? 1 : refreshes; }
};

// One frame: lines that fit the terminal.
class Frame {
  public:
    explicit Frame(TerminalSize size) : size_(size) {}

    std::size_t columns() const { return size_.columns; }
    // Lines that are left, beside the last one.
    std::size_t room() const { return size_.rows - std::min(size_.rows, lines_.size() + 1); }
    void add(const std::string& text, Colour colour = Colour::plain) {
        lines_.push_back(paint(colour, cut(text, size_.columns)));
    }
    // Requires: it fits.
    void add_painted(std::string text) { lines_.push_back(std::move(text)); }
    void heading(const std::string& text, const std::string& more = {}) {
        lines_.emplace_back();
        lines_.push_back(paint(Colour::bold, text) + paint(Colour::dim, more));
    }
    void marked(const char* mark, Colour colour, const std::string& text) {
        lines_.push_back("  " + paint(colour, mark) + " " +
                         cut(text, size_.columns - std::min<std::size_t>(size_.columns, 4)));
    }
    std::vector<std::string> finish(const std::string& last) {
        lines_.resize(std::max<std::size_t>(size_.rows, 1) - 1);
        add(last, Colour::dim);
        return std::move(lines_);
    }

  private:
    TerminalSize size_;
    std::vector<std::string> lines_;
};

class View {
  public:
    explicit View(RestClient& client) : client_(client) {}

    void refresh();
    std::vector<std::string> lines(TerminalSize size) const;

  private:
    void read_events();
    void add_head(Frame& frame) const;
    void add_rates(Frame& frame) const;
    void add_instances(Frame& frame, std::size_t rows_max) const;
    void add_events(Frame& frame) const;

    RestClient& client_;
    ServerReading now_;
    ServerReading before_;
    std::string after_;  // the place in the log up to which events_ has it
    std::deque<json::Value> events_;
    SystemClock clock_;
};

void View::refresh() {
    before_ = std::exchange(now_, read_server(client_, clock_));
    if (!now_.failure) read_events();
}

void View::read_events() {
    if (after_.empty()) {
        const Answer head = client_.get("events?limit=1");
        const std::int64_t first = integer_at(head.value, "firstKept");
        after_ = std::to_string(
            std::max<std::int64_t>({0, first - 1, integer_at(head.value, "last") - 50}));
    }
    const Answer page = client_.get(with_query("events", {{"after", after_}, {"limit", "1000"}}));
    if (!page) {
        after_.clear();  // another log than before: begin anew
        return;
    }
    for (const json::Value& event : list_at(page.value, "events"))
        events_.push_back(event);
    while (events_.size() > kEventsKept)
        events_.pop_front();
    const std::string position = text_at(page.value, "position");
    if (!position.empty()) after_ = position;
}

void View::add_head(Frame& frame) const {
    const std::string name = "dyad-memory " + client_.url().text();
    const std::string indicator = now_.indicator.text();
    if (columns_of(name) + 3 + columns_of(indicator) <= frame.columns()) {
        frame.add_painted(paint(Colour::bold, name) + "   " + now_.indicator.painted());
    } else {
        frame.add(name, Colour::bold);
        frame.add(indicator, now_.indicator.colour);
    }
    if (now_.failure)
        return frame.add(now_.failure->exit == Exit::unreachable
                             ? "No server answers at " + client_.url().text() + "; waiting for it."
                             : printable(now_.failure->message),
                         Colour::amber);
    frame.add("version " + printable(text_at(now_.status, "version")) + ", up " +
                  duration(integer_at(now_.status, "uptimeMs")) + ", user " +
                  printable(text_at(now_.status, "userId")),
              Colour::dim);
    for (const SystemState& system : now_.indicator.systems)
        frame.marked(system.mark(), system.colour(),
                     padded(system.name, 10) + printable(system.note));
}

void View::add_rates(Frame& frame) const {
    const auto rate = [this](const char* metric) {
        return rate_between(before_, now_, metric).value_or(0);
    };
    char text[160];
    std::snprintf(text, sizeof text, "  events/s %-9.0f deliveries/s %-9.0f requests/s %-9.0f",
                  rate("dyad_events_committed_total"), rate("dyad_deliveries_total"),
                  rate("dyad_http_requests_total"));
    frame.heading("Now");
    frame.add(text);
    std::snprintf(text, sizeof text, "  live clients %-5.0f connections %-10.0f users %-9.0f",
                  now_.metric("dyad_sessions"), now_.metric("dyad_connections"),
                  now_.metric("dyad_users_active"));
    frame.add(text);
}

void View::add_instances(Frame& frame, std::size_t rows_max) const {
    const auto& instances = list_at(now_.instances, "instances");
    frame.heading("Instances", "  " + std::to_string(instances.size()));
    std::size_t shown = 0;
    for (const bool connected : {true, false})
        for (const json::Value& instance : instances) {
            if (at(instance, "presence").is_object() != connected || shown == rows_max) continue;
            ++shown;
            const std::string mode = text_at(instance, "mode/currentMode");
            const std::size_t name = std::min<std::size_t>(40, frame.columns() / 2);
            frame.add("  " + padded(cut(printable(text_at(instance, "instanceId")), name), name) +
                          "  " + padded(mode.empty() ? "no mode said" : printable(mode), 14) +
                          presence_of(instance),
                      connected ? Colour::plain : Colour::dim);
        }
}

void View::add_events(Frame& frame) const {
    frame.heading("Latest events");
    const std::size_t count = std::min(frame.room(), events_.size());
    for (std::size_t i = 0; i < count; ++i) {
        const json::Value& event = events_[events_.size() - 1 - i];  // newest first
        frame.add("  " + local_time(integer_at(event, "timestamp")).substr(11) + "  " +
                  describe_event(event) + "  by " + printable(text_at(event, "sourceInstanceId")));
    }
    if (events_.empty()) frame.add("  None yet.", Colour::dim);
}

std::vector<std::string> View::lines(TerminalSize size) const {
    Frame frame(size);
    add_head(frame);
    if (!now_.failure) {
        add_rates(frame);
        add_instances(frame, std::max<std::size_t>(3, size.rows / 4));
        add_events(frame);
    }
    return frame.finish("q quits");
}

// One line of JSON a second. The exit status is that of the last look.
Exit print_readings(RestClient& client, std::int64_t count) {
    const Interrupt interrupt;
    const SystemClock clock;
    ServerReading before, now;
    for (std::int64_t taken = 0; !interrupt.asked();) {
        const std::int64_t due_ms = clock.steady_ms() + kRefreshMs;
        before = std::exchange(now, read_server(client, clock));
        print_json(describe(before, now));
        if (!flush_output()) return Exit::failed;
        if (++taken == count) return now.failure ? now.failure->exit : Exit::ok;
        while (!interrupt.asked() && clock.steady_ms() < due_ms)
            interrupt.sleep(due_ms - clock.steady_ms());
    }
    if (reader_is_gone()) end_without_reader();
    return Exit::ok;
}

Exit show_view(RestClient& client, std::int64_t count) {
    RawTerminal terminal;
    View view(client);
    const SystemClock clock;
    std::int64_t taken = 0;
    for (std::int64_t due_ms = 0;;) {
        if (clock.steady_ms() >= due_ms) {
            if (count != 0 && taken++ == count) return Exit::ok;
            view.refresh();
            due_ms = clock.steady_ms() + kRefreshMs;
        }
        terminal.draw(view.lines(terminal_size()));
        const int key = terminal.key(std::max<std::int64_t>(1, due_ms - clock.steady_ms()));
        if (key == 'q' || key == 'Q' || key == -1) return Exit::ok;
    }
}

Exit run_top(const CommonOptions& common, const TopOptions& options) {
    if (!common.json && (!output_is_terminal() || isatty(STDIN_FILENO) != 1)) {
        complain(
            "dyad-memory: top needs a terminal; in a pipe use \"dyad-memory top --json\", with "
            "--once for one line, or \"dyad-memory events --follow\"");
        return Exit::usage;
    }
    CommonOptions quick = common;
    quick.timeout_s = std::min<std::int64_t>(common.timeout_s, 2);
    std::optional<RestClient> client = RestClient::open(quick);
    if (!client) return Exit::usage;
    return common.json ? print_readings(*client, options.count())
                       : show_view(*client, options.count());
}

}  // namespace

void add_top(Command& root) {
    const auto o = std::make_shared<TopOptions>();
    root.add("top", "Watch the server live (q quits)", run_top, o)
        .number("--count", o->refreshes, "End after so many refreshes, one a second", 1, 1'000'000)
        .flag("--once", o->once, "End after the first one")
        .excludes("--count")
        .footer("With --json it prints one object a line for each refresh.\n");
}

}  // namespace dyad::cli

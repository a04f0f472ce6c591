// `dyad-memory top`: the server, live.
#include "cli/commands.hpp"
#include "cli/event_source.hpp"
#include "cli/interrupt.hpp"
#include "cli/raw_terminal.hpp"
#include "cli/server_reading.hpp"
#include "net/http.hpp"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <utility>

#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kRefreshMs = 1000;
constexpr std::size_t kEventsKept = 200;

class View {
  public:
    View(RestClient& client, std::size_t columns) : client_(client), columns_(columns) {}

    void refresh();
    std::vector<std::string> lines(std::size_t rows) const;
    void resize(std::size_t columns) { columns_ = columns; }

  private:
    void read_events();
    double rate(const char* metric) const;
    std::string problem() const;
    std::string padded(const std::string& text, std::size_t width) const {
        return text + std::string(width - std::min(width, columns_of(text)), ' ');
    }
    void add_head(std::vector<std::string>& out) const;
    void add_rates(std::vector<std::string>& out) const;
    void add_instances(std::vector<std::string>& out, std::size_t rows_max) const;

    RestClient& client_;
    std::size_t columns_;
    ServerReading now_;
    ServerReading before_;
    std::string after_;  // the place in the log up to which events_ has it
    std::deque<json::Value> events_;
    SystemClock clock_;
};

void View::refresh() {
    before_ = std::move(now_);
    now_ = read_server(client_, clock_);
    if (!now_.failure) read_events();
}

void View::read_events() {
    if (after_.empty()) {
        const Answer head = client_.get("events?limit=1");
        const std::int64_t last = integer_member(head.value, "last");
        const std::int64_t first =
            std::max<std::int64_t>(1, integer_member(head.value, "firstKept"));
        after_ = std::to_string(std::max<std::int64_t>({0, first - 1, last - 50}));
    }
    const Answer page = client_.get("events?after=" + net::percent_encode(after_) + "&limit=1000");
    if (!page) {
        after_.clear();  // another log than before: begin anew
        return;
    }
    for (const json::Value& event : array_member(page.value, "events"))
        events_.push_back(event);
    while (events_.size() > kEventsKept)
        events_.pop_front();
    const std::string position = text_member(page.value, "position");
    if (!position.empty()) after_ = position;
}

double View::rate(const char* metric) const {
    return rate_between(before_, now_, metric).value_or(0);
}

std::string View::problem() const {
    return now_.failure->exit == Exit::unreachable
               ? "No server answers at " + client_.url().text() + "; waiting for it."
               : now_.failure->message;
}

void View::add_head(std::vector<std::string>& out) const {
    const std::string name = "dyad-memory " + client_.url().text();
    const std::string indicator = now_.indicator.text();
    if (columns_of(name) + 3 + columns_of(indicator) <= columns_) {
        out.push_back(paint(Colour::bold, name) + "   " + now_.indicator.painted());
    } else {
        out.push_back(paint(Colour::bold, cut(name, columns_)));
        out.push_back(paint(now_.indicator.colour, cut(indicator, columns_)));
    }
    if (now_.failure) {
        out.push_back(paint(Colour::amber, cut(printable(problem()), columns_)));
        return;
    }
    out.push_back(
        paint(Colour::dim, cut("version " + printable(text_member(now_.status, "version")) +
                                   ", up " + duration(integer_member(now_.status, "uptimeMs")) +
                                   ", user " + printable(text_member(now_.status, "userId")),
                               columns_)));
    for (const SystemState& system : now_.indicator.systems) {
        const char* const mark = !system.enabled ? "–" : system.healthy ? "✓" : "✗";
        const Colour colour = !system.enabled  ? Colour::dim
                              : system.healthy ? Colour::green
                                               : Colour::amber;
        out.push_back("  " + paint(colour, mark) + " " +
                      cut(padded(system.name, 10) + printable(system.note),
                          columns_ - std::min<std::size_t>(columns_, 4)));
    }
}

void View::add_rates(std::vector<std::string>& out) const {
    char text[160];
    std::snprintf(text, sizeof text, "  events/s %-9.0f deliveries/s %-9.0f requests/s %-9.0f",
                  rate("dyad_events_committed_total"), rate("dyad_deliveries_total"),
                  rate("dyad_http_requests_total"));
    out.push_back("");
    out.push_back(paint(Colour::bold, "Now"));
    out.push_back(cut(text, columns_));
    std::snprintf(text, sizeof text, "  live clients %-5.0f connections %-10.0f users %-9.0f",
                  now_.metrics.value("dyad_sessions"), now_.metrics.value("dyad_connections"),
                  now_.metrics.value("dyad_users_active"));
    out.push_back(cut(text, columns_));
}

void View::add_instances(std::vector<std::string>& out, std::size_t rows_max) const {
    const auto& instances = array_member(now_.instances, "instances");
    out.push_back("");
    out.push_back(paint(Colour::bold, "Instances") +
                  paint(Colour::dim, "  " + std::to_string(instances.size())));
    std::size_t shown = 0;
    for (const bool connected : {true, false}) {
        for (const json::Value& instance : instances) {
            if (member(instance, "presence").is_object() != connected || shown == rows_max)
                continue;
            ++shown;
            const std::string mode = text_member(member(instance, "mode"), "currentMode");
            const std::size_t name = std::min<std::size_t>(40, columns_ / 2);
            std::string line =
                padded(cut(printable(text_member(instance, "instanceId")), name), name) + "  " +
                padded(mode.empty() ? "no mode said" : printable(mode), 14) +
                (connected               ? "connected"
                 : hides_indicator(mode) ? "private"
                                         : "away");
            line = cut(line, columns_ - std::min<std::size_t>(columns_, 2));
            out.push_back("  " + (connected ? line : paint(Colour::dim, line)));
        }
    }
}

std::vector<std::string> View::lines(std::size_t rows) const {
    std::vector<std::string> out;
    add_head(out);
    if (!now_.failure) {
        add_rates(out);
        add_instances(out, std::max<std::size_t>(3, rows / 4));
        out.push_back("");
        out.push_back(paint(Colour::bold, "Latest events"));
        const std::size_t room = rows > out.size() + 1 ? rows - out.size() - 1 : 0;
        const std::size_t count = std::min(room, events_.size());
        for (std::size_t i = 0; i < count; ++i) {
            const json::Value& event = events_[events_.size() - 1 - i];  // newest first
            const std::string line = local_time(integer_member(event, "timestamp")).substr(11) +
                                     "  " + describe_event(event) + "  by " +
                                     printable(text_member(event, "sourceInstanceId"));
            out.push_back("  " + cut(line, columns_ - std::min<std::size_t>(columns_, 2)));
        }
        if (events_.empty() && room > 0) out.push_back(paint(Colour::dim, "  None yet."));
    }
    if (out.size() + 1 > rows) out.resize(rows > 0 ? rows - 1 : 0);
    while (out.size() + 1 < rows)
        out.emplace_back();
    out.push_back(paint(Colour::dim, cut("q quits", columns_)));
    return out;
}

// One line of JSON a second. The exit status is that of the last look.
int print_readings(RestClient& client, std::int64_t count) {
    const Interrupt interrupt;
    const SystemClock clock;
    ServerReading before, now;
    for (std::int64_t taken = 0; !interrupt.asked();) {
        const std::int64_t due_ms = clock.steady_ms() + kRefreshMs;
        before = std::exchange(now, read_server(client, clock));
        print_json(describe(before, now));
        if (!flush_output()) return static_cast<int>(Exit::failed);
        if (++taken == count) return static_cast<int>(now.failure ? now.failure->exit : Exit::ok);
        while (!interrupt.asked() && clock.steady_ms() < due_ms)
            interrupt.sleep(due_ms - clock.steady_ms());
    }
    if (reader_is_gone()) end_without_reader();
    return static_cast<int>(Exit::ok);
}

int show_view(RestClient& client, std::int64_t count) {
    RawTerminal terminal;
    View view(client, terminal.size().columns);
    const SystemClock clock;
    std::int64_t taken = 0;
    for (std::int64_t due_ms = 0;;) {
        if (clock.steady_ms() >= due_ms) {
            if (count != 0 && taken++ == count) return static_cast<int>(Exit::ok);
            view.refresh();
            due_ms = clock.steady_ms() + kRefreshMs;
        }
        const RawTerminal::Size size = terminal.size();
        view.resize(size.columns);
        terminal.draw(view.lines(size.rows));
        const int key = terminal.key(std::max<std::int64_t>(1, due_ms - clock.steady_ms()));
        if (key == 'q' || key == 'Q' || key == -1) return static_cast<int>(Exit::ok);
    }
}

}  // namespace

int run_top(const CommonOptions& common, std::int64_t count) {
    if (!common.json && (!output_is_terminal() || isatty(STDIN_FILENO) != 1)) {
        complain(
            "dyad-memory: top needs a terminal; in a pipe use \"dyad-memory top --json\", with "
            "--once for one line, or \"dyad-memory events --follow\"");
        return static_cast<int>(Exit::usage);
    }
    CommonOptions quick = common;
    quick.timeout_s = std::min<std::int64_t>(common.timeout_s, 2);
    std::optional<RestClient> client = RestClient::open(quick);
    if (!client) return static_cast<int>(Exit::usage);
    return common.json ? print_readings(*client, count) : show_view(*client, count);
}

}  // namespace dyad::cli

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/event_follower.hpp"
#include "cli/event_line.hpp"
#include "cli/indicator.hpp"
#include "cli/rates.hpp"
#include "cli/rest_client.hpp"
#include "cli/screen.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::int64_t kEventsShown = 100;
constexpr std::pair<const char*, const char*> kRates[] = {
    {"Events/s", "dyad_events_committed_total"},
    {"Commits/s", "dyad_commits_total"},
    {"Delivered/s", "dyad_deliveries_total"},
    {"Requests/s", "dyad_http_requests_total"}};

std::string rate_text(double rate) {
    char text[32];
    std::snprintf(text, sizeof text, rate < 10 ? "%.1f" : "%.0f", rate);
    return text;
}

// What is shown, as of the last time the server answered.
struct View {
    json::Value status;
    json::Value instances;
    json::Value events;
    Rates rates;
    std::string problem;  // why it is not newer; empty: it is
};

class Top {
  public:
    Top(RestClient client, const SystemClock& clock) : client_(std::move(client)), clock_(clock) {}

    const View& view() const noexcept { return view_; }
    const RestClient& client() const noexcept { return client_; }

    void refresh() {
        Answer status = client_.get("status");
        if (!status) {
            view_.problem = status.failure->message;
            view_.status = nullptr;
            return;
        }
        const Answer metrics = client_.get_plain("/metrics");
        Answer instances = client_.get("instances");
        const Answer newest = client_.get("events?limit=1");
        Answer events = client_.get(
            "events?limit=" + std::to_string(kEventsShown) + "&after=" +
            std::to_string(
                std::max<std::int64_t>(0, integer_member(newest.value, "last") - kEventsShown)));
        view_.problem.clear();
        for (const Answer* answer :
             std::initializer_list<const Answer*>{&metrics, &instances, &newest, &events})
            if (!*answer) view_.problem = answer->failure->message;
        if (metrics) view_.rates.take(parse_metrics(metrics.body), clock_.steady_ms());
        view_.status = std::move(status.value);
        if (instances) view_.instances = std::move(instances.value);
        if (events) view_.events = std::move(events.value);
    }

  private:
    RestClient client_;
    const SystemClock& clock_;
    View view_;
};

void add_head(std::vector<ScreenLine>& lines, const Top& top, std::size_t columns) {
    const View& view = top.view();
    const Indicator indicator = indicator_of(view.status);
    const std::string text = indicator.text();
    ScreenLine& line = lines.emplace_back(columns);
    line.add("dyad-memory ", Colour::bold).add(top.client().url().authority());
    if (view.status.is_object())
        line.add("  up " + duration(integer_member(view.status, "uptimeMs")) + "  user " +
                 text_member(view.status, "userId"));
    const std::size_t width = columns_of(text);
    if (columns >= line.used() + width + 1)
        line.to(columns - width).add(text, indicator.colour());
    else
        lines.emplace_back(columns).add(text, indicator.colour());
    ScreenLine& systems = lines.emplace_back(columns);
    for (const SystemLine& system : indicator.systems)
        systems.add(system.works ? "✓ " : system.enabled ? "✗ " : "- ",
                    system.works     ? Colour::green
                    : system.enabled ? Colour::red
                                     : Colour::dim)
            .add(system.name + ": " + system.text + "   ");
    if (!view.problem.empty()) systems.add(view.problem, Colour::red);
}

void add_rates(std::vector<ScreenLine>& lines, const Rates& rates, std::size_t columns) {
    lines.emplace_back(columns);
    ScreenLine& line = lines.emplace_back(columns);
    std::size_t at = 0;
    for (const auto& [label, counter] : kRates)
        line.to(at++ * 20).add(label, Colour::dim).add(" " + rate_text(rates.of(counter)),
                                                       Colour::bold);
    ScreenLine& gauges = lines.emplace_back(columns);
    at = 0;
    for (const auto& [label, gauge] :
         {std::pair{"Connections", "dyad_connections"}, {"Live clients", "dyad_sessions"},
          {"Users", "dyad_users_active"}, {"Refused", "dyad_commands_rejected_total"}})
        gauges.to(at++ * 20).add(label, Colour::dim).add(
            " " + std::to_string(static_cast<std::int64_t>(rates.value(gauge))));
    lines.emplace_back(columns).add(sparkline(rates.history(), columns), Colour::green);
}

void add_instances(std::vector<ScreenLine>& lines, const View& view, ScreenSize size) {
    const auto& instances = array_member(view.instances, "instances");
    lines.emplace_back(size.columns);
    lines.emplace_back(size.columns)
        .add("Instances " + std::to_string(instances.size()), Colour::bold);
    const std::size_t most = std::max<std::size_t>(3, size.rows / 4);
    std::vector<const json::Value*> order;
    for (const bool away : {false, true})
        for (const json::Value& instance : instances)
            if (member(instance, "presence").is_null() == away) order.push_back(&instance);
    for (std::size_t i = 0; i < order.size() && i < most; ++i) {
        const bool here = !member(*order[i], "presence").is_null();
        const std::string mode = text_member(member(*order[i], "mode"), "currentMode");
        lines.emplace_back(size.columns)
            .add(here ? "  ● " : "  ○ ", here ? Colour::green : Colour::dim)
            .add(text_member(*order[i], "instanceId"))
            .to(44)
            .add(" " + (mode.empty() ? std::string("-") : mode), Colour::cyan);
    }
    if (order.size() > most)
        lines.emplace_back(size.columns)
            .add("    and " + std::to_string(order.size() - most) + " more", Colour::dim);
}

void add_events(std::vector<ScreenLine>& lines, const View& view, ScreenSize size) {
    lines.emplace_back(size.columns);
    lines.emplace_back(size.columns).add("Latest events", Colour::bold);
    const auto& events = array_member(view.events, "events");
    const std::size_t room = size.rows > lines.size() + 1 ? size.rows - lines.size() - 1 : 0;
    for (std::size_t i = 0; i < room && i < events.size(); ++i)
        lines.emplace_back(size.columns)
            .add(event_text(events[events.size() - 1 - i]));
}

std::vector<ScreenLine> compose(const Top& top, ScreenSize size) {
    std::vector<ScreenLine> lines;
    add_head(lines, top, size.columns);
    add_rates(lines, top.view().rates, size.columns);
    add_instances(lines, top.view(), size);
    add_events(lines, top.view(), size);
    while (lines.size() + 1 < size.rows)
        lines.emplace_back(size.columns);
    if (lines.size() + 1 > size.rows && size.rows > 0)
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(size.rows - 1), lines.end());
    lines.emplace_back(size.columns).add("q quits", Colour::dim);
    return lines;
}

// One line of JSON each time, for programs.
int print_samples(const Call& call, Top& top, int interval_ms) {
    catch_stop_signals();
    while (!stop_requested()) {
        top.refresh();
        boost::json::object rates;
        for (const auto& [label, counter] : kRates)
            rates[counter] = top.view().rates.of(counter);
        print_json(boost::json::object{{"instances", member(top.view().instances, "instances")},
                                       {"problem", top.view().problem},
                                       {"rates", rates},
                                       {"status", top.view().status}});
        if (!flush_output() || call.has("--once")) break;
        pause_ms(interval_ms);
    }
    return static_cast<int>(top.view().problem.empty() ? Exit::ok : Exit::unreachable);
}

int top_view(const Call& call) {
    Common common = call.common();
    common.timeout_s = std::min<std::int64_t>(common.timeout_s, 2);  // a view does not hang
    auto client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const SystemClock clock;
    const int interval_ms = static_cast<int>(call.number("--interval").value_or(1)) * 1000;
    Top top(*std::move(client), clock);
    if (call.json()) return print_samples(call, top, interval_ms);
    catch_stop_signals();
    auto screen = Screen::open();
    if (!screen)
        return report(call.common(), {Exit::usage, "",
                                      "top needs a terminal; \"dyad-memory status\" shows the "
                                      "same once, and top --json for programs.",
                                      nullptr});
    while (!stop_requested()) {
        top.refresh();
        const std::int64_t next = clock.steady_ms() + interval_ms;
        // Redrawn at once when the size changes, without asking the server again.
        for (std::int64_t left = interval_ms; left > 0 && !stop_requested();
             left = next - clock.steady_ms()) {
            screen->draw(compose(top, Screen::size()));
            const auto key = screen->key(static_cast<int>(left));
            if (key == 'q' || key == 'Q') return 0;
        }
    }
    return 0;
}

}  // namespace

Command top_command() {
    Command command;
    command.name = "top";
    command.summary = "A live view: the indicator, rates, instances, the latest events.";
    command.details = "q quits. With --json a line each time, until Ctrl-C.";
    command.options = {number_option("--interval", 1, 3600, "seconds between two looks (1)"),
                       toggle("--once", "with --json: one line")};
    command.run = top_view;
    return command;
}

}  // namespace dyad::cli

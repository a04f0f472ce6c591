// `dyad-memory watch`: changes as they happen, for people or line by line for an assistant.
#include "base/clock.hpp"
#include "cli/agent_lines.hpp"
#include "cli/command.hpp"
#include "cli/context.hpp"
#include "cli/event_source.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

struct WatchOptions {
    bool for_agent = false;
};

// An assistant takes every line for news: what is said of the connection goes nowhere.
Exit watch_for_agent(RestClient& client) {
    const SystemClock clock;
    AgentLines lines;
    const std::string own = client.common().instance;
    Subscription subscription;
    const auto say = [](const std::optional<std::string>& text) {
        if (text) print_line(*text);
    };
    subscription.on_bytes = [&] { say(lines.due(clock.steady_ms())); };
    subscription.on_event = [&](const ServerSentEvent& sent) {
        const Result<json::Value> event = parse_large(sent.data);
        if (!event) return true;
        if (std::optional<AgentLine> line = line_of(*event, own))
            say(lines.take(*std::move(line), clock.steady_ms()));
        return true;
    };
    return follow(client, subscription);
}

Exit watch(RestClient& client, const WatchOptions& options) {
    if (options.for_agent) return watch_for_agent(client);
    return watch_all(client);
}

}  // namespace

void add_watch(Command& root) {
    const auto o = std::make_shared<WatchOptions>();
    root.add("watch", "Show changes as they happen, until Ctrl-C", watch, o)
        .flag("--for-agent", o->for_agent,
              "One short line for each change that matters to an assistant, at most "
              "a dozen a minute and a summary of the rest; not what --instance changed itself");
}

}  // namespace dyad::cli

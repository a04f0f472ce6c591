// /check: everything that is stored, checked against itself while the server runs. It changes
// nothing. One JSON object a line: how far it is, and at the end what was found.
//
// What is damaged in the memory of the user who asks is named; of others' memories only how much.
#include "model/json_text.hpp"
#include "server/rest/call.hpp"

namespace dyad::server::rest {
namespace {

std::string progress_line(const CheckReport& report) {
    return "{\"done\":" + std::to_string(report.done) +
           ",\"finished\":false,\"of\":" + std::to_string(report.of) + "}\n";
}

std::string last_line(const CheckReport& report, const std::string& user) {
    std::string out = "{\"checked\":{\"events\":" + std::to_string(report.events);
    out.append(",\"pages\":").append(std::to_string(report.pages));
    out.append(",\"records\":").append(std::to_string(report.records));
    out.append(",\"rows\":").append(std::to_string(report.rows));
    out.append(",\"users\":").append(std::to_string(report.users));
    out.append("},\"damages\":[");
    bool first = true;
    for (const CheckDamage& damage : report.list) {
        if (!damage.user_id.empty() && damage.user_id != user) continue;
        if (!std::exchange(first, false)) out += ',';
        out.append("{\"name\":");
        json::append_string(out, damage.name);
        out.append(",\"text\":");
        json::append_string(out, damage.text);
        out.append(",\"what\":");
        json::append_string(out, damage.what);
        out += '}';
    }
    std::size_t others = 0, of_others = 0;
    for (const auto& [name, count] : report.by_user) {
        if (name.empty() || name == user) continue;
        others += 1;
        of_others += count;
    }
    out.append("],\"finished\":true,\"ok\":").append(report.damages == 0 ? "true" : "false");
    out.append(",\"others\":{\"damages\":").append(std::to_string(of_others));
    out.append(",\"users\":").append(std::to_string(others));
    return out.append("}}\n");
}

}  // namespace

void check(const CallPtr& call) {
    if (const Status known = call->check_query({}); !known) return call->problem(known.error());
    if (call->request().method != "GET") return wrong_method(call, "GET");
    struct State {
        bool begun = false;
        bool gone = false;
    };
    const auto state = std::make_shared<State>();
    call->node().store().check([call, state](Result<CheckReport> report) {
        if (state->gone) return false;
        Exchange& exchange = call->exchange();
        if (!report) {
            if (state->begun)
                exchange.end_stream();
            else
                call->problem(report.error());
            return false;
        }
        if (!std::exchange(state->begun, true)) {
            exchange.begin_stream("application/x-ndjson");
            exchange.on_closed([state] { state->gone = true; });
        }
        // A few lines a second: a client that does not read them is closed as any other is.
        exchange.write(report->finished ? last_line(*report, call->user())
                                        : progress_line(*report));
        if (report->finished) exchange.end_stream();
        return !state->gone;
    });
}

}  // namespace dyad::server::rest

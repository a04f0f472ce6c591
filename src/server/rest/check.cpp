// /check: everything that is stored, checked against itself while the server runs. It changes
// nothing. One JSON object a line: how far it is, and at the end what was found.
//
// What is damaged in the memory of the user who asks is named; of others' memories only how much.
#include "server/rest/call.hpp"

namespace dyad::server::rest {
namespace {

void write_progress(json::Writer& out, const CheckReport& report) {
    out.raw("{\"done\":").integer(report.done);
    out.raw(",\"finished\":false,\"of\":").integer(report.of).raw("}\n");
}

void write_end(json::Writer& out, const CheckReport& report, const std::string& user) {
    out.raw("{\"checked\":{\"events\":").integer(report.events);
    out.raw(",\"pages\":").integer(report.pages);
    out.raw(",\"records\":").integer(report.records);
    out.raw(",\"rows\":").integer(report.rows);
    out.raw(",\"users\":").integer(report.users).raw("},\"damages\":[");
    bool first = true;
    for (const CheckDamage& damage : report.list) {
        if (!damage.user_id.empty() && damage.user_id != user) continue;
        out.raw(std::exchange(first, false) ? "{\"name\":" : ",{\"name\":").string(damage.name);
        out.raw(",\"text\":").string(damage.text);
        out.raw(",\"what\":").string(damage.what).raw("}");
    }
    std::size_t others = 0, of_others = 0;
    for (const auto& [name, count] : report.by_user) {
        if (name.empty() || name == user) continue;
        others += 1;
        of_others += count;
    }
    out.raw("],\"finished\":true,\"ok\":").value(report.damages == 0);
    out.raw(",\"others\":{\"damages\":").integer(of_others);
    out.raw(",\"users\":").integer(others).raw("}}\n");
}

}  // namespace

void check(Call& asked) {
    constexpr const char* kType = "application/x-ndjson";
    if (asked.request().method == "HEAD") return asked.exchange().begin_stream(kType);
    struct State {
        bool begun = false;
        bool gone = false;
    };
    const auto state = std::make_shared<State>();
    asked.node().store().check(
        [call = asked.shared_from_this(), state](Result<CheckReport> report) {
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
                exchange.begin_stream(kType);
                exchange.on_closed([state] { state->gone = true; });
            }
            // A few lines a second: a client that does not read them is closed as any other is.
            exchange.write(composed([&](json::Writer& out) {
                if (report->finished)
                    write_end(out, *report, call->user());
                else
                    write_progress(out, *report);
            }));
            if (report->finished) exchange.end_stream();
            return !state->gone;
        });
}

}  // namespace dyad::server::rest

// /check: everything that is stored, checked against itself while the server runs. It changes
// nothing. One JSON object a line: how far it is, and at the end what was found.
//
// What is damaged in the memory of the user who asks is named; of others' memories only how much.
//
// /copy: the same way, a copy of what is stored, in the server's own folder, for whoever may read
// that: `dyad-memory backup`.
#include "server/rest/call.hpp"

namespace dyad::server::rest {
namespace {

void write_end(json::Writer& out, const CheckReport& report, const std::string& user) {
    std::vector<const CheckDamage*> own;
    for (const CheckDamage& damage : report.list)
        if (damage.user_id.empty() || damage.user_id == user) own.push_back(&damage);
    std::size_t others = 0, of_others = 0;
    for (const auto& [name, count] : report.by_user) {
        if (name.empty() || name == user) continue;
        others += 1;
        of_others += count;
    }
    out.object([&] {
        out.member("checked").object("events", report.events, "pages", report.pages, "records",
                                     report.records, "rows", report.rows, "users", report.users);
        out.member("damages").array(own, [&out](const CheckDamage* damage) {
            out.object("name", damage->name, "text", damage->text, "what", damage->what);
        });
        out.members("finished", true, "ok", report.damages == 0);
        out.member("others").object("damages", of_others, "users", others);
    });
}

constexpr const char* kType = "application/x-ndjson";

std::function<bool(Result<CheckReport>)> stream_to(Call& asked) {
    struct State {
        bool begun = false;
        bool gone = false;
    };
    const auto state = std::make_shared<State>();
    return [call = asked.shared_from_this(), state](Result<CheckReport> report) {
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
        exchange.write(json::written(kAnswerBytes, [&](json::Writer& out) {
            if (report->finished)
                write_end(out, *report, call->user());
            else
                out.object("done", report->done, "finished", false, "of", report->of);
            out.raw("\n");
        }));
        if (report->finished) exchange.end_stream();
        return !state->gone;
    };
}

}  // namespace

void check(Call& asked) {
    if (asked.request().method == "HEAD") return asked.exchange().begin_stream(kType);
    asked.node().store().check(stream_to(asked));
}

void copy(Call& asked) {
    asked.node().store().copy(stream_to(asked));
}

}  // namespace dyad::server::rest

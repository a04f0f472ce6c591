#include "server/hooks/door.hpp"

#include "auth/identity.hpp"
#include "base/hash64.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "model/json.hpp"
#include "model/json_text.hpp"
#include "server/hooks/answer.hpp"
#include "server/naming.hpp"
#include "server/problem.hpp"
#include "server/switches.hpp"

namespace dyad::server::hooks {
namespace {

// One event on its way to its answer.
struct Visit {
    Node& node;
    mcp::Shown& shown;
    Sessions& sessions;
    ExchangePtr exchange;
    Event event;
    std::string user;
    std::string instance;

    void say(std::string_view context, const std::optional<std::string>& denied = {}) const {
        net::Response response;
        response.content_type = "application/json";
        response.body = answer(event, context, denied);
        protect(response.headers);
        node.engine().when_told(
            [exchange = exchange, response = std::move(response)] { exchange->respond(response); });
    }
    void refuse(const Error& error) const {
        exchange->respond(problem(error, exchange->request().target));
    }
};
using VisitPtr = std::shared_ptr<const Visit>;

Result<Assistant> assistant_of(const net::Request& request) {
    const auto assistant =
        by_name<Assistant>(std::string_view(request.path).substr(sizeof "/hooks/" - 1));
    if (!assistant)
        return fail(Errc::not_found,
                    "hooks are answered below /hooks/ for " + any_of_names<Assistant>());
    return *assistant;
}

Status check_request(const net::Request& request) {
    if (request.method != "POST")
        return fail(Errc::method_not_allowed, "this path takes POST only");
    const std::string_view type = request.header("content-type").value_or("");
    if (to_lower(dyad::trimmed(type.substr(0, type.find(';')))) != "application/json")
        return fail(Errc::unsupported_media_type, "Content-Type: must be application/json");
    for (const auto& [name, value] : request.query)
        if (name != "event" && name != kUserName.parameter && name != kInstanceName.parameter)
            return fail(Errc::invalid_field,
                        shown(name) + ": is not a query parameter of this path");
    return Done{};
}

Result<VisitPtr> visit_of(Node& node, mcp::Shown& shown, Sessions& sessions,
                          const ExchangePtr& exchange) {
    const net::Request& request = exchange->request();
    TRY(check_request(request));
    ASSIGN_OR_RETURN(const Assistant assistant, assistant_of(request));
    ASSIGN_OR_RETURN(const auto user, named(request, kUserName));
    ASSIGN_OR_RETURN(auth::Principal principal,
                     auth::principal_of(user.value_or(""), node.settings().user_id));
    ASSIGN_OR_RETURN(const auto instance, named(request, kInstanceName));
    ASSIGN_OR_RETURN(Event event, read_event(assistant, request.body,
                                             request.query_value("event").value_or("")));
    return std::make_shared<const Visit>(Visit{node, shown, sessions, exchange, std::move(event),
                                               std::move(principal.user),
                                               instance.value_or(std::string(name_of(assistant)))});
}

// What comes into the conversation; nothing where the memory does not answer: a hook is in nobody's
// way.
void inform(const VisitPtr& visit, bool beginning) {
    const Event& event = visit->event;
    const auto say = [visit](const Result<std::string>& text) {
        visit->say(text ? *text : std::string());
    };
    const bool prompts = !beginning;
    const bool forgot = beginning && event.source == "compact";
    brief(visit->node, visit->shown,
          {.user = visit->user,
           .session = event.session,
           .folder = event.folder,
           .task = prompts ? event.prompt + " " : "",
           .resumes = forgot || event.source == "resume",
           .bytes_max = static_cast<std::size_t>(prompts ? limits::hook_prompt_bytes_max
                                                         : limits::hook_context_bytes_max)},
          say);
}

// Keeps what was said last, for the sessions after this one; and it is answered in any case.
void keep(const VisitPtr& visit) {
    const Event& event = visit->event;
    const std::string_view said = cut(dyad::trimmed(event.said, " \t\r\n"),
                                      static_cast<std::size_t>(limits::hook_text_bytes_max));
    if (said.empty()) return visit->say("");
    const Result<std::string> data =
        json::canonicalize(json::written(256 + said.size(), [&](json::Writer& out) {
            out.object("folder", event.folder, "model", event.model, "said", said);
        }));
    if (!data) return visit->say("");
    Command command;
    command.instance_id = visit->instance;
    // Of the same words in the same session there is one, by whichever hook they come.
    const Hash content = sha256({event.session, "\n", *data});
    command.operation_id = "hook-" + to_hex(std::span(content).first(16));
    command.brief = true;
    command.provenance =
        Provenance{Author::model, std::string(cut(event.model, limits::provenance_model_bytes_max)),
                   Trust::unverified};
    command.body = PutContext{.key = session_key(event.session),
                              .data = *data,
                              .strategy = MergeStrategy::replace,
                              .force = true,
                              .tags = std::vector<std::string>{"session"},
                              .ttl_days = limits::hook_session_days};
    const auto write = [visit, command = std::move(command)](const Result<ContextPtr>& stored,
                                                             const Position&) mutable {
        const auto& put = std::get<PutContext>(command.body);
        const bool same = stored && *stored && !(*stored)->deleted && (*stored)->data == put.data;
        if (same || !validate(command) || !check_switches(visit->node.settings(), command))
            return visit->say("");
        visit->node.engine().submit(
            visit->user, std::move(command),
            [visit](const std::variant<Reply, Rejection>&) { visit->say(""); });
    };
    visit->node.engine().context(visit->user, session_key(event.session), write,
                                 core::Freshness::best());
}

// Claims that are not of the session that asks. Of one instance two sessions are two where both are
// known; a session that no hook has named is the instance's own.
std::vector<Claimed> claims_of_others(const core::Snapshot& state, const Visit& visit) {
    std::vector<Claimed> out;
    for (const Claim& claim : state.claims) {
        const bool own =
            claim.session == visit.event.session ||
            (claim.instance_id == visit.instance && !visit.sessions.knows(claim.session));
        if (!own) out.push_back({claim.resource, claim.instance_id, claim.expires_at_ms});
    }
    return out;
}

// Refuses files that another agent has claimed, and where nobody can tell who has.
void guard(const VisitPtr& visit) {
    if (!visit->event.writes) return visit->say("");
    const auto judge = [visit](const Result<std::shared_ptr<const core::Snapshot>>& state) {
        if (state) return visit->say("", refusal(visit->event, claims_of_others(**state, *visit)));
        visit->say("", unknown_claims(state.error().to_string()));
    };
    visit->node.engine().snapshot(visit->user, judge);
}

std::uint64_t fingerprint(const Event& event) {
    std::uint64_t hash = static_cast<std::uint64_t>(event.moment);
    for (const std::string* part : {&event.source, &event.prompt, &event.said})
        hash = hash64(*part, hash + part->size());
    return hash;
}

void answer_visit(const VisitPtr& visit) {
    const Event& event = visit->event;
    Sessions& sessions = visit->sessions;
    const std::int64_t now_ms = visit->node.clock().steady_ms();
    const std::uint64_t print = fingerprint(event);
    const bool repeat = sessions.is_repeat(event.session, print, now_ms);
    const bool announces = event.moment == Moment::before_compaction;
    if (!repeat)
        visit->node.engine().tell(
            {.topic = announces ? Topic::compaction_announced : Topic::hook_event,
             .session = event.session,
             .entries = {{"", print}}});
    const auto forget = [&] {
        visit->shown.with(visit->user, event.session, [](auto&) {}, visit->node.teller(), true);
    };
    switch (event.moment) {
        case Moment::session_start:
            if (repeat) return visit->say("");
            if (event.source != "resume") forget();
            return inform(visit, true);
        case Moment::prompt:
            return repeat || !takes_context(event) ? visit->say("") : inform(visit, false);
        case Moment::before_tool:
            return guard(visit);
        case Moment::before_compaction:
            forget();
            sessions.note_compaction(event.session, true);
            return keep(visit);
        case Moment::after_compaction:
            // What was told since the compaction was announced is told after it.
            if (!sessions.note_compaction(event.session, false)) forget();
            return visit->say("");
        case Moment::stop:
        case Moment::session_end:
            return keep(visit);
        case Moment::other:
            return visit->say("");
    }
}

}  // namespace

void Door::handle(const ExchangePtr& exchange) {
    const Result<VisitPtr> visit = visit_of(node_, shown_, sessions_, exchange);
    if (visit) return answer_visit(*visit);
    net::Response response = problem(visit.error(), exchange->request().target);
    if (visit.error().code == Errc::method_not_allowed)
        response.headers.emplace_back("Allow", "POST");
    exchange->respond(std::move(response));
}

}  // namespace dyad::server::hooks

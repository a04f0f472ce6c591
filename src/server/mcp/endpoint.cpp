#include "server/mcp/endpoint.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "net/http_fields.hpp"
#include "server/mcp/visit.hpp"
#include "server/naming.hpp"

#include <algorithm>

namespace dyad::server::mcp {
namespace {

constexpr std::string_view kSessionHeader = "mcp-session-id";

void respond(const ExchangePtr& exchange, const Refusal& refusal, std::string_view id = {},
             net::Headers headers = {}) {
    exchange->respond(answer_of(refusal.http_status, error_text(id, refusal), std::move(headers)));
}

Refusal refused(const Error& error) {
    return {400, kInvalidParams, error.detail, {}};
}

std::string media_type(const net::Request& request) {
    const std::string_view type = request.header("content-type").value_or("");
    return to_lower(trimmed(type.substr(0, type.find(';'))));
}

Result<Sender> sender_of(Node& node, const net::Request& request) {
    Sender sender;
    ASSIGN_OR_RETURN(const auto user, named(request, kUserName));
    ASSIGN_OR_RETURN(sender.principal,
                     auth::principal_of(user.value_or(""), node.settings().user_id));
    ASSIGN_OR_RETURN(sender.instance, named(request, kInstanceName));
    return sender;
}

}  // namespace

const Endpoint::Method Endpoint::kMethods[] = {
    {"tools/call", true, true, &Endpoint::call_tool},
    {"tools/list", true, true, &Endpoint::list_tools},
    {"resources/read", true, true, &Endpoint::read},
    {"resources/list", true, true, &Endpoint::list_resources},
    {"resources/templates/list", true, true, &Endpoint::list_templates},
    {"resources/subscribe", false, true, &Endpoint::subscribe},
    {"resources/unsubscribe", false, true, &Endpoint::unsubscribe},
    {"prompts/get", true, true, &Endpoint::get_prompt},
    {"prompts/list", true, true, &Endpoint::list_prompts},
    {"completion/complete", true, true, &Endpoint::complete},
    {"server/discover", true, false, &Endpoint::discover},
    {"subscriptions/listen", true, false, &Endpoint::listen},
    {"initialize", false, true, &Endpoint::initialize},
    {"ping", false, true, &Endpoint::ping},
    {"logging/setLevel", false, true, &Endpoint::ping},
};

bool Endpoint::offers(std::string_view name) const {
    if (name.starts_with("tools/")) return !registry_.tools.empty();
    if (name.starts_with("prompts/")) return !registry_.prompts.empty();
    if (name.ends_with("subscribe")) return registry_.changed_resource != nullptr;
    if (name.starts_with("resources/"))
        return !registry_.resources.empty() || registry_.list_resources != nullptr;
    if (name == "completion/complete") return registry_.complete != nullptr;
    return true;
}

const Endpoint::Method* Endpoint::find(std::string_view name, Era era) const {
    for (const Method& row : kMethods)
        if (row.name == name)
            return (era == Era::modern ? row.modern : row.legacy) && offers(name) ? &row : nullptr;
    return nullptr;
}

// A session belongs to its user: asked for by another one, it is not there.
std::optional<Session> Endpoint::session_of(const net::Request& request, const Sender& sender) {
    const auto id = request.header(kSessionHeader);
    if (!id) return std::nullopt;
    const Sessions& sessions = station_->switchboard->sessions;
    auto known = opened_.find(*id);
    if (known == opened_.end()) {
        auto session = sessions.find(path_, *id);
        if (!session) return std::nullopt;
        if (opened_.size() >= kOpenedMax) opened_.clear();
        known = opened_.emplace(*id, *std::move(session)).first;
    }
    if (known->second.user != sender.principal.user || sessions.has_ended(known->second.serial))
        return std::nullopt;
    return known->second;
}

void Endpoint::handle(const ExchangePtr& exchange) {
    const net::Request& request = exchange->request();
    if (request.method == "POST") return post(exchange);
    // Without sessions there is nothing but POST.
    const bool of_session =
        era_of(request, std::nullopt) == Era::legacy && request.header(kSessionHeader);
    if (request.method == "GET" && of_session) return get(exchange);
    if (request.method == "DELETE" && of_session) return end_session(exchange);
    wrong_method(exchange);
}

void Endpoint::wrong_method(const ExchangePtr& exchange) {
    respond(exchange,
            {405,
             kInvalidRequest,
             "this is an MCP endpoint: it takes POST; GET and DELETE with the Mcp-Session-Id of a "
             "session",
             {}},
            {}, {{"Allow", "POST, GET, DELETE"}});
}

void Endpoint::post(const ExchangePtr& exchange) {
    const net::Request& request = exchange->request();
    if (media_type(request) != "application/json")
        return respond(exchange,
                       {400, kInvalidRequest, "Content-Type: must be application/json", {}});
    Body body = read_body(request.body);
    Element& first = body.elements.front();
    const Result<Sender> sender = sender_of(station_->node, request);
    if (!sender) return respond(exchange, refused(sender.error()), first.id);
    if (body.is_batch) return post_batch(exchange, std::move(body), *sender);
    if (const auto* refusal = std::get_if<Refusal>(&first.content))
        return respond(exchange, *refusal, first.id);
    Visit visit(exchange, std::get<Message>(std::move(first.content)));
    Result<Params> params = read_params(visit.message.params);
    if (params) visit.params = *std::move(params);
    visit.era = era_of(request, visit.params.meta);
    visit.principal = sender->principal;
    if (visit.era == Era::legacy) visit.session = session_of(request, *sender);
    visit.instance = sender->instance    ? *sender->instance
                     : visit.session     ? visit.session->instance
                     : visit.params.meta ? instance_of(visit.params.meta->client_info)
                                         : instance_of(visit.params.client_info);
    if (visit.message.kind == Message::Kind::request)
        visit.reply = Reply::make(station_->node, exchange, 1, false);
    if (!params && visit.reply) {
        // What is not known is not there, whatever was to be done with it.
        if (find(visit.message.method, visit.era) == nullptr)
            visit.params = Params();
        else
            return visit.refuse(
                {visit.era == Era::modern ? 400 : 200, kInvalidParams, params.error().detail, {}});
    }
    visit.era == Era::modern ? modern(visit) : legacy(visit);
}

void Endpoint::modern(Visit& visit) {
    const Message& message = visit.message;
    if (message.kind == Message::Kind::response)
        return respond(visit.exchange,
                       {400,
                        kInvalidRequest,
                        "nobody was asked: since 2026-07-28 a call that needs an answer ends with "
                        "input_required, and is sent again with it",
                        {}},
                       message.id);
    if (message.kind == Message::Kind::notification)
        return visit.exchange->respond(answer_of(202, {}));
    const Method* const method = find(message.method, Era::modern);
    if (method == nullptr)
        return visit.refuse({404,
                             kMethodNotFound,
                             "there is no method " + shown(message.method) +
                                 " here; server/discover lists what is offered",
                             {}});
    if (const auto bad = check_meta(visit.params)) return visit.refuse(*bad);
    if (const auto bad = check_headers(visit.request(), message.method, visit.params))
        return visit.refuse(*bad);
    (this->*method->run)(visit);
}

void Endpoint::legacy(Visit& visit) {
    const Message& message = visit.message;
    const net::Request& request = visit.request();
    const auto version = request.header("mcp-protocol-version");
    const bool begins = message.method == "initialize";
    const auto refuse = [&](int status, std::string text) {
        respond(visit.exchange, {status, kInvalidRequest, std::move(text), {}}, message.id);
    };
    if (!begins && version && !is_legacy(trimmed(*version)))
        return refuse(400, "MCP-Protocol-Version: \"" + shown(*version) +
                               "\" is not served; initialize says which one is");
    if (!begins && !visit.session)
        return request.header(kSessionHeader)
                   ? refuse(404,
                            "Mcp-Session-Id: there is no such session; begin one with initialize")
                   : refuse(400,
                            "Mcp-Session-Id: is missing; a session begins with initialize, and "
                            "a request without one names its revision in params._meta");
    if (message.kind != Message::Kind::request) {
        take_note(visit);
        return visit.exchange->respond(answer_of(202, {}));
    }
    const Method* const method = find(message.method, Era::legacy);
    if (method == nullptr)
        return visit.refuse("there is no method " + shown(message.method) + " here",
                            kMethodNotFound);
    (this->*method->run)(visit);
}

// Of a revision with sessions: an answer to what a call asked, or that a call is not wanted.
void Endpoint::take_note(const Visit& visit) {
    const std::string& serial = visit.session->serial;
    if (visit.message.kind == Message::Kind::response)
        tell("answer " + serial + " " + visit.message.id, visit.message.result);
    else if (visit.message.method == "notifications/cancelled")
        tell("cancel " + serial + " " + std::string(visit.params.request_id), {});
}

void Endpoint::tell(const std::string& key, std::string_view what, bool everywhere) {
    Sessions& sessions = station_->switchboard->sessions;
    const bool here = sessions.tell(key, std::string(what));
    core::Engine& engine = station_->node.engine();
    if ((!here || everywhere) && engine.has_others()) engine.tell(sessions.message(key, what));
}

void Endpoint::post_batch(const ExchangePtr& exchange, Body body, const Sender& sender) {
    const auto session = session_of(exchange->request(), sender);
    if (!session || session->version != "2025-03-26" ||
        era_of(exchange->request(), std::nullopt) == Era::modern)
        return respond(exchange,
                       {400,
                        kInvalidRequest,
                        "the body must be one JSON object: batches are of sessions of the "
                        "revision 2025-03-26 only",
                        {}});
    std::size_t expected = 0;
    for (const Element& one : body.elements) {
        const auto* const message = std::get_if<Message>(&one.content);
        expected += message == nullptr || message->kind == Message::Kind::request;
    }
    ReplyPtr reply;
    if (expected != 0) reply = Reply::make(station_->node, exchange, expected, true);
    for (Element& one : body.elements) {
        if (const auto* refusal = std::get_if<Refusal>(&one.content)) {
            reply->answer(200, error_text(one.id, *refusal));
            continue;
        }
        Visit visit(exchange, std::get<Message>(std::move(one.content)));
        visit.era = Era::legacy;
        visit.session = session;
        visit.principal = sender.principal;
        visit.instance = sender.instance.value_or(session->instance);
        visit.reply = reply;
        Result<Params> params = read_params(visit.message.params);
        if (params) visit.params = *std::move(params);
        if (visit.message.kind != Message::Kind::request) {
            take_note(visit);
            continue;
        }
        const Method* const method = find(visit.message.method, Era::legacy);
        if (method == nullptr || method->name == "initialize")
            visit.refuse("there is no method " + shown(visit.message.method) + " in a batch",
                         kMethodNotFound);
        else if (!params)
            visit.refuse(params.error().detail);
        else
            (this->*method->run)(visit);
    }
    if (!reply) exchange->respond(answer_of(202, {}));
}

void Endpoint::end_session(const ExchangePtr& exchange) {
    const Result<Sender> sender = sender_of(station_->node, exchange->request());
    if (!sender) return respond(exchange, refused(sender.error()));
    const auto session = session_of(exchange->request(), *sender);
    if (!session)
        return respond(exchange,
                       {404, kInvalidRequest, "Mcp-Session-Id: there is no such session", {}});
    station_->switchboard->sessions.end(session->serial);
    core::Engine& engine = station_->node.engine();
    engine.tell({.topic = Topic::session_ended, .session = session->serial});
    engine.when_told([exchange] { exchange->respond(answer_of(204, {})); });
}

std::optional<Refusal> Endpoint::no_stream(const net::Request& request,
                                           const std::string& user) const {
    if (net::preference(request.headers, kStreamType).weight == 0)
        return Refusal{406, kInvalidRequest, "Accept: must take text/event-stream", {}};
    if (station_->node.engine().session_count(user) <
        static_cast<std::size_t>(limits::sessions_per_user_max))
        return std::nullopt;
    return Refusal{
        429, kInvalidRequest, "this user has too many connections (sessions_per_user_max)", {}};
}

void Endpoint::get(const ExchangePtr& exchange) {
    const net::Request& request = exchange->request();
    const Result<Sender> sender = sender_of(station_->node, request);
    if (!sender) return respond(exchange, refused(sender.error()));
    const auto session = session_of(request, *sender);
    if (!session)
        return respond(exchange,
                       {404, kInvalidRequest, "Mcp-Session-Id: there is no such session", {}});
    if (const auto bad = no_stream(request, session->user)) return respond(exchange, *bad);
    Wishes wishes;
    wishes.user = session->user;
    wishes.instance = sender->instance.value_or(session->instance);
    wishes.primes = session->version == kLegacy.front();
    if (registry_.lists_change)
        wishes.methods = {"notifications/tools/list_changed", "notifications/prompts/list_changed",
                          "notifications/resources/list_changed"};
    Sessions& sessions = station_->switchboard->sessions;
    if (registry_.changed_resource != nullptr) {
        wishes.resource = [&sessions, serial = session->serial](const std::string& uri) {
            return sessions.is_subscribed(serial, uri);
        };
        wishes.resources = [&sessions, serial = session->serial] {
            return sessions.subscriptions(serial);
        };
    }
    // A place that does not parse is one that is not known: from here on.
    if (const auto last = request.header("last-event-id"))
        if (const Result<Position> position = Position::parse(*last)) wishes.resume = *position;
    // What a session is told comes on one stream: the newest, since the one before may be dead.
    const std::string key = "stream " + session->serial;
    const std::uint64_t owner = station_->node.random().next_u64();
    tell(key, {}, true);
    wishes.on_end = [&sessions, key, owner] { sessions.forget(key, owner); };
    Node& node = station_->node;
    auto end = stream_changes(node, station_->pulse, station_->listeners, registry_, exchange,
                              std::move(wishes));
    sessions.wait(key, {[&node](std::function<void()> work) { node.post(std::move(work)); },
                        [end = std::move(end)](const std::string&) { end(); }, owner});
}

Gate::Gate(Node& node, std::shared_ptr<Switchboard> switchboard, std::span<const Mount> mounts)
    : station_(new Station{node, std::move(switchboard), Pulse(node), {}}) {
    station_->switchboard->add(station_);
    for (const Mount& mount : mounts)
        endpoints_.push_back(std::make_unique<Endpoint>(station_, mount));
}

Gate::~Gate() {
    station_->switchboard->remove(station_);
}

bool Gate::handle(const ExchangePtr& exchange) {
    const auto at = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const auto& endpoint) {
        return endpoint->path() == exchange->request().path;
    });
    if (at == endpoints_.end()) return false;
    (*at)->handle(exchange);
    return true;
}

}  // namespace dyad::server::mcp

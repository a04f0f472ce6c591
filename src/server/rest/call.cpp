#include "server/rest/call.hpp"

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "model/time_text.hpp"
#include "net/http_fields.hpp"
#include "server/cors.hpp"
#include "server/naming.hpp"
#include "server/problem.hpp"
#include "server/switches.hpp"
#include "wire/private_wish.hpp"

#include <algorithm>
#include <charconv>

namespace dyad::server::rest {
namespace {

constexpr std::string_view kDefaultInstance = "rest";

wire::Decoder& decoder() {
    thread_local wire::Decoder instance;  // keeps its parser's memory
    return instance;
}

}  // namespace

Result<CallPtr> Call::make(Node& node, ExchangePtr exchange) {
    CallPtr call(new Call(node, std::move(exchange)));
    const net::Request& request = call->request();
    ASSIGN_OR_RETURN(const auto user, named(request, kUserName));
    ASSIGN_OR_RETURN(call->principal_,
                     auth::principal_of(user.value_or(""), node.settings().user_id));
    Naming naming = kInstanceName;
    if (request.path == "/api/v1/transitions") naming.parameter = {};  // it is a filter there
    ASSIGN_OR_RETURN(auto instance, named(request, naming));
    call->instance_ = std::move(instance).value_or(std::string(kDefaultInstance));
    return call;
}

Status Call::check_query(std::string_view names) const {
    const std::string allowed = " " + std::string(names) + " ";
    for (const auto& parameter : request().query) {
        const std::string& name = parameter.first;
        const bool listed = name.find(' ') == std::string::npos &&
                            allowed.find(" " + name + " ") != std::string::npos;
        const bool known = listed || name == kUserName.parameter ||
                           name == kInstanceName.parameter || name == named_by_query;
        if (!known || name.empty())
            return fail(Errc::invalid_field,
                        shown(name) + ": is not a query parameter of this path");
        const auto same = [&](const auto& other) { return other.first == parameter.first; };
        if (std::count_if(request().query.begin(), request().query.end(), same) > 1)
            return fail(Errc::invalid_field,
                        shown(name) + ": stands twice in the query; send it once");
    }
    return Done{};
}

std::optional<std::string> Call::query(std::string_view name) const {
    const auto value = request().query_value(name);
    return value ? std::optional<std::string>(*value) : std::nullopt;
}

Result<std::int64_t> whole_number(std::string_view name, std::string_view text, std::int64_t min,
                                  std::int64_t max) {
    std::int64_t value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end.ec != std::errc() || end.ptr != text.data() + text.size() || value < min || value > max)
        return fail(Errc::invalid_field, std::string(name) + ": must be a whole number from " +
                                             std::to_string(min) + " to " + std::to_string(max));
    return value;
}

Result<std::int64_t> Call::query_integer(std::string_view name, std::int64_t fallback,
                                         std::int64_t min, std::int64_t max) const {
    const auto text = request().query_value(name);
    return text ? whole_number(name, *text, min, max) : fallback;
}

Result<std::size_t> Call::query_limit(std::int64_t fallback) const {
    ASSIGN_OR_RETURN(const std::int64_t limit,
                     query_integer("limit", fallback, 1, limits::page_items_max));
    return static_cast<std::size_t>(limit);
}

Result<std::int64_t> Call::query_time(std::string_view name, std::int64_t fallback) const {
    const auto text = request().query_value(name);
    if (!text) return fallback;
    std::string date(*text);
    // A `+` of an offset means a blank in a query (WHATWG URL, section 5.1).
    if (const std::size_t sign = date.rfind(' '); sign != std::string::npos && sign > 10)
        date[sign] = '+';
    if (const auto moment = read_time(date)) return *moment;
    const auto number = query_integer(name, fallback, 0, INT64_MAX);
    if (!number)
        return fail(Errc::invalid_field, std::string(name).append(": must be ").append(kTimeForms));
    return *number;
}

Result<PageRequest> Call::page() const {
    ASSIGN_OR_RETURN(const std::int64_t before, query_integer("before", 0, 0, INT64_MAX));
    ASSIGN_OR_RETURN(const std::size_t limit, query_limit());
    return PageRequest{static_cast<Offset>(before), limit};
}

Result<core::Freshness> Call::freshness() {
    const auto text = request().query_value("fresh");
    says_age_if_away_ = !text;
    if (!text) return core::Freshness::best();
    if (*text == "latest") return core::Freshness{};
    says_age_ = *text == "any";
    if (says_age_) return core::Freshness::at_hand();
    const Result<Position> position = Position::parse(*text);
    if (!position)
        return fail(Errc::invalid_field,
                    "fresh: must be latest, any, or the position of an answer");
    return core::Freshness::at_least(*position);
}

std::string Call::media_type() const {
    const std::string_view type = request().header("content-type").value_or("");
    return to_lower(trimmed(type.substr(0, type.find(';'))));
}

void Call::respond(net::Response response) {
    constexpr std::int64_t kSecond = 1000;
    if (says_age_ || says_age_if_away_) {  // RFC 9111, section 5.1
        const std::int64_t age_ms = node_.engine().age_ms(user());
        const bool away = !node_.store().health().connected || age_ms > kSecond;
        if (says_age_ || away)
            response.headers.emplace_back("Age", std::to_string((age_ms + kSecond - 1) / kSecond));
    }
    apply_conditions(request(), response);
    protect(response.headers);
    exchange_->respond(std::move(response));
}

void Call::json_text(std::string text, net::Headers headers, int status) {
    net::Response response;
    vary_on(headers, "Dyad-User");
    response.status = status;
    response.content_type = kJson;
    response.headers = std::move(headers);
    response.body = std::move(text);
    respond(std::move(response));
}

void Call::problem(const Error& error, int status, const Stored& stored) {
    exchange_->respond(server::problem(error, request().target, status, stored));
}

void Call::submit(wire::Given given, int (*status_of)(const Reply&), std::string_view query) {
    const bool sets_mode = given.op == "mode.set";
    const std::string whose = given.instance_id.value_or("");
    // Whoever may have asked for inspired mode is private, though the rest is refused.
    const auto refuse = [&](const Error& error) {
        if (sets_mode && wire::private_wish(request().body, wire::Said::mode))
            node_.engine().keep_private(user(), whose);
        problem(error);
    };
    // What a caller puts there beyond that would be passed over unseen.
    if (const Status known = check_query(query); !known) return refuse(known.error());
    if (given.payload != wire::Given::Payload::nothing)
        if (const Status taken = check_content(request()); !taken) return refuse(taken.error());
    if (given.payload != wire::Given::Payload::nothing && !given.op.ends_with("-patch") &&
        media_type() != kJson)
        return refuse(fail(Errc::unsupported_media_type, "Content-Type: must be application/json"));
    Result<Conditions> conditions = conditions_of(request());
    if (!conditions) return refuse(conditions.error());
    given.conditions = *std::move(conditions);
    for (const auto& [name, place] :
         {std::pair("Dyad-Fence", &given.fence), std::pair("Dyad-Provenance", &given.provenance)}) {
        const std::string header = to_lower(name);
        if (net::count_of(request().headers, header) > 1)
            return refuse(
                fail(Errc::invalid_field, std::string(name) + ": stands twice; send it once"));
        *place = request().header(header).value_or("");
    }
    Result<Command> command = decoder().operation(request().body, std::move(given));
    if (!command) return refuse(command.error());
    command->instance_id = instance_;
    auto key = named(request(), kOperationName);
    if (!key) return refuse(key.error());
    command->operation_id = *key ? **std::move(key) : node_.random().uuid4();
    if (const Status valid = validate(*command); !valid) return refuse(valid.error());
    if (const Status on = check_switches(node_.settings(), *command); !on)
        return refuse(on.error());
    const bool conditional = command->conditions.present();
    node_.engine().submit(user(), *std::move(command),
                          [call = shared_from_this(), status_of,
                           conditional](const std::variant<Reply, Rejection>& answer) {
                              if (const auto* reply = std::get_if<Reply>(&answer))
                                  return call->written(*reply, status_of(*reply));
                              const auto& rejection = std::get<Rejection>(answer);
                              const bool failed =
                                  conditional && rejection.error.code == Errc::version_conflict;
                              call->problem(rejection.error, failed ? 412 : 0,
                                            {rejection.current.get(), rejection.claim.get()});
                          });
}

void Call::written(const Reply& reply, int status) {
    net::Headers headers;
    if (reply.version != 0) headers.emplace_back("ETag", entity_tag(reply.version));
    if (reply.duplicate) headers.emplace_back("Idempotency-Replayed", "true");
    const std::string_view result =
        std::string_view(reply.result).substr(0, reply.result.size() - 1);
    json(
        [&](json::Writer& out) {
            out.raw(result).raw(",\"operationId\":").string(reply.operation_id);
            out.raw(",\"position\":").string(reply.position.to_string());
            out.raw(",\"version\":").integer(reply.version).raw("}");
        },
        std::move(headers), status);
}

net::Headers Call::next_link(std::string_view name, std::string_view value) const {
    // A query alone is relative to the path that the client asked for, which a proxy may have cut.
    std::string uri;
    char separator = '?';
    const auto add = [&](std::string_view key, std::string_view text) {
        uri += separator;
        uri.append(key).append("=").append(net::percent_encode(text));
        separator = '&';
    };
    for (const auto& [key, text] : request().query)
        if (key != name) add(key, text);
    add(name, value);
    return {{"Link", "<" + uri + ">; rel=\"next\""}};
}

}  // namespace dyad::server::rest

// /claims: who works on what.
#include "model/change.hpp"
#include "server/rest/call.hpp"

namespace dyad::server::rest {
namespace {

// 201 where it was granted, 200 where it was renewed; a repeated request gets what it got first.
int acquired(const Reply& reply) {
    return reply.result.starts_with(R"({"action":"granted")") ? 201 : 200;
}

}  // namespace

void list_claims(Call& call) {
    call.with_state([](Call& to, const SnapshotPtr& state) {
        const std::string prefix = to.query("prefix").value_or("");
        std::vector<const Claim*> list;
        for (const Claim& claim : state->claims)
            if (claim.resource.starts_with(prefix)) list.push_back(&claim);
        to.json([&](json::Writer& out) {
            out.object("claims", list, "position", state->position.to_string());
        });
    });
}

void acquire_claim(Call& call) {
    call.submit({.op = "claim.acquire"}, acquired);
}

void release_claim(Call& call) {
    wire::Given given{.op = "claim.release", .payload = wire::Given::Payload::nothing};
    given.resource = call.query("resource");
    const auto token = call.query_integer("token", 0, 1, INT64_MAX);
    if (!token) return call.problem(token.error());
    if (call.query("token")) given.token = static_cast<Token>(*token);
    call.submit(std::move(given), [](const Reply&) { return 200; }, "resource token");
}

}  // namespace dyad::server::rest

// /responses: the glass box.
#include "model/change.hpp"
#include "server/rest/call.hpp"

namespace dyad::server::rest {

void responses(const CallPtr& call) {
    const std::string& method = call->request().method;
    if (call->segments.size() != 1)
        return call->problem(fail(Errc::not_found, "there is no such path"));
    if (method == "POST")
        return call->submit({.op = "response.record", .payload = wire::Given::Payload::document},
                            [call](const Reply& reply) { call->written(reply, 201); });
    if (method != "GET" && method != "HEAD") return wrong_method(call, "GET, HEAD, POST");
    if (const Status known = call->check_query({"chat", "message", "provider", "before", "limit"});
        !known)
        return call->problem(known.error());
    const Result<PageRequest> page = call->page();
    if (!page) return call->problem(page.error());
    const ResponseFilter filter{call->query("chat"), call->query("message"),
                                call->query("provider")};
    call->node().store().responses(
        call->user(), filter, *page,
        [call, limit = page->limit](Result<std::vector<ResponseRecord>> records) {
            if (!records) return call->problem(records.error());
            call->page_of("responses", *records, limit, write_response);
        });
}

}  // namespace dyad::server::rest

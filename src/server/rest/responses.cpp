// /responses: the glass box.
#include "model/change.hpp"
#include "server/rest/call.hpp"

namespace dyad::server::rest {

void record_response(Call& call) {
    call.submit({.op = "response.record", .payload = wire::Given::Payload::document},
                [](const Reply&) { return 201; });
}

void list_responses(Call& call) {
    const Result<PageRequest> page = call.page();
    if (!page) return call.problem(page.error());
    const ResponseFilter filter{call.query("chat"), call.query("message"), call.query("provider")};
    call.node().store().responses(
        call.user(), filter, *page,
        call.then([limit = page->limit](Call& to, const std::vector<ResponseRecord>& records) {
            to.page_of("responses", records, limit,
                       [](json::Writer& out, const ResponseRecord& record) { write(out, record); });
        }));
}

}  // namespace dyad::server::rest

#include "server/problem.hpp"

#include "model/json_text.hpp"

namespace dyad::server {

net::Response problem(const Error& error) {
    const ErrorRow& row = error_row(error.code);
    net::Response response;
    response.status = row.http_status;
    response.content_type = "application/problem+json";
    std::string& out = response.body;
    out.append("{\"type\":\"urn:dyad:error:").append(row.name).append("\",\"title\":");
    json::append_string(out, row.message);
    out.append(",\"status\":").append(std::to_string(row.http_status)).append(",\"detail\":");
    json::append_string(out, error.detail);
    out.append(",\"code\":\"").append(row.name);
    out.append(row.retry ? "\",\"retry\":true}" : "\",\"retry\":false}");
    return response;
}

}  // namespace dyad::server

// The REST interface: /api/v1, health, metrics and the pages. protocol/openapi.yaml is its
// contract.
//
// Lifetime: as long as the cell it serves. Threads: the cell's.
#pragma once

#include "server/exchange.hpp"
#include "server/node_info.hpp"

namespace dyad::server::rest {

class Api {
  public:
    explicit Api(Node& node) : node_(node) {}
    // Answers every request, sooner or later; never blocks.
    void handle(ExchangePtr exchange);

  private:
    Node& node_;
};

}  // namespace dyad::server::rest

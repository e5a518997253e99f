// A monthly budget of the app's resource group: a mail at 80 % of it, and when the month is forecast to exceed it.

@description('Amount a month, in the subscription\'s currency.')
param amount int

@description('First day of the first month, as 2026-11-01.')
@minLength(10)
@maxLength(10)
param startDate string

@description('Who is told.')
param emails array

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: 'cmg-migrate'
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: startDate }
    notifications: {
      nearlyUsed: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: emails
        contactRoles: ['Owner']
      }
      willExceed: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: emails
        contactRoles: ['Owner']
      }
    }
  }
}
